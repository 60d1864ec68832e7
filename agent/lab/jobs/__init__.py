"""See ARCHITECTURE.md: agent/lab/jobs."""
