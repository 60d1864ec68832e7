"""The runner of a cluster, on a real Slurm of one node that the suite starts."""
