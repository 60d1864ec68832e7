"""See ARCHITECTURE.md: agent/lab/measuring."""
