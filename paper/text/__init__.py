"""See ARCHITECTURE.md: paper/text."""
