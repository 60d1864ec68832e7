"""The sections of a paper and their files, and the tags of conditional text in them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class SectionSpec:
    """One file of the paper."""

    name: str
    heading: str

    @property
    def file(self) -> str:
        return f"{self.name}.md"


SECTIONS: tuple[SectionSpec, ...] = (
    SectionSpec("title", ""),
    SectionSpec("introduction", "Introduction"),
    SectionSpec("related_work", "Related Work"),
    SectionSpec("background", "Background"),
    SectionSpec("method", "Method"),
    SectionSpec("experimental_setup", "Experimental Set-up"),
    SectionSpec("results", "Results"),
    SectionSpec("discussion", "Discussion and Limitations"),
    SectionSpec("conclusion", "Conclusion"),
)
CHOICE_TAG = re.compile(r"\{%\s*(if|else|endif)\b\s*(.*?)\s*%\}", re.DOTALL)


def without_tags(markdown: str) -> str:
    """The text without the tags of `{% if %}`: all branches stay, for readers of every sentence that might print."""
    return CHOICE_TAG.sub("", markdown)
