"""See ARCHITECTURE.md: agent/storage."""
