"""Records as series, facts, and the expressions that a writer may use. Pure."""
