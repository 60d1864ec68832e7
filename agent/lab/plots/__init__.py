"""See ARCHITECTURE.md: agent/lab/plots."""
