"""Kinds of tampering with a session's repository or log, and what --verify says of each."""
