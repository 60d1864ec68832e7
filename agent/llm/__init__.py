"""See ARCHITECTURE.md: agent/llm."""
