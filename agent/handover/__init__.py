"""--bundle: a finished session as one archive for somebody else."""
