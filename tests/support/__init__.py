"""What tests share: scripted models, stand-ins that are real classes, small templates and whole sessions."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).parent / "tiny_template"
