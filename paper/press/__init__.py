"""See ARCHITECTURE.md: paper/press."""
