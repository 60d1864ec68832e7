"""--verify: everything that a session claims, computed once more."""
