"""The genuine sae-bench: its environment, its worker process, and what its results are called here."""
