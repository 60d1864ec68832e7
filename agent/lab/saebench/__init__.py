"""sae-bench in a Python of its own: its worker, the client that asks it, the names of its metrics."""
