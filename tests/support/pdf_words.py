"""The words of a PDF that a test has made."""

from __future__ import annotations

from pathlib import Path

from pypdf import PdfReader


def pdf_text(pdf: Path) -> str:
    """The text of a PDF, page by page."""
    return "\n\n".join(page.extract_text() for page in PdfReader(pdf).pages)
