"""See ARCHITECTURE.md: agent/publishing/review."""
