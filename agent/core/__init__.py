"""See ARCHITECTURE.md: agent/core."""
