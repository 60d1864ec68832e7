"""See ARCHITECTURE.md: agent/lab/saebench."""
