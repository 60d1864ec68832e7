"""Isolates code that is not trusted, limits it, measures what it uses, and reads what it leaves behind."""
