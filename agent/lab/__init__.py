"""See ARCHITECTURE.md: agent/lab."""
