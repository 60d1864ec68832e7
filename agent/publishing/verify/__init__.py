"""See ARCHITECTURE.md: agent/publishing/verify."""
