"""Walls, limits and accounts for code that is not trusted."""
