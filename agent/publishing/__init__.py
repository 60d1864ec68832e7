"""See ARCHITECTURE.md: agent/publishing."""
