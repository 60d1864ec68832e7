"""The session's git repository."""
