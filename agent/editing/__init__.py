"""Edits of the agent's file through aider, and its lint."""
