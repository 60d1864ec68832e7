"""How a model's answer changes a file: aider behind one module, and the linter."""
