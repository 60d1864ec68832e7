"""Everything that a paper says is computed once more from its repository."""
