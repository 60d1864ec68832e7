"""The build hook of the wheel and its package module; neither is used in a checkout."""
