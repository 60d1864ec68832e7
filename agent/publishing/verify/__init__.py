"""Verifies a paper: everything that it says is computed again from its repository and compared."""
