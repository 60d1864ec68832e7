"""See ARCHITECTURE.md: agent/llm/editing."""
