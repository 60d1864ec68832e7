"""Jobs that outlive the loop: the runner of this machine, its supervisor and its workers."""
