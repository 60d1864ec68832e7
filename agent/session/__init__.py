"""See ARCHITECTURE.md: agent/session."""
