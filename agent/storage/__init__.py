"""What survives a kill: the log, the repository, locks, the cache, files that are replaced whole."""
