"""See ARCHITECTURE.md: agent/lab/templating."""
