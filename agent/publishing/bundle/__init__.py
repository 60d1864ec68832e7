"""See ARCHITECTURE.md: agent/publishing/bundle."""
