"""See ARCHITECTURE.md: agent/app."""
