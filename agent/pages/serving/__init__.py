"""All sessions of a workspace in a browser, live, on this machine. `--control` adds buttons behind a token."""
