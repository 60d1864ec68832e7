"""Where trainings run. Each module implements protocols.Runner."""
