"""Every check that decides whether a sentence may be printed."""
