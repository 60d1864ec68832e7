"""sae-bench in a Python environment of its own: its worker process, the client, and the names of its metrics."""
