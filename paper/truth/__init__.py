"""See ARCHITECTURE.md: paper/truth."""
