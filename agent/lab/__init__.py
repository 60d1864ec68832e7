"""One job: its trainings run in a sandbox, are measured outside of it, and are judged."""
