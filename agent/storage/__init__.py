"""Storage that survives a kill: the event log, the repository, locks, the cache, atomic files."""
