"""Trainings on a cluster: a job is an array of Slurm, and each training one of its tasks.

What is decided is pure (script.py, states.py); commands of Slurm are run by control.py, files are named by paths.py.
"""
