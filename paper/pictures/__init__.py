"""See ARCHITECTURE.md: paper/pictures."""
