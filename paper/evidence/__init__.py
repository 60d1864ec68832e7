"""See ARCHITECTURE.md: paper/evidence."""
