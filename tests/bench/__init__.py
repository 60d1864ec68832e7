"""Measurements behind BENCHMARKS.md: `python -m tests.bench --help`. No test; nothing here runs in the suite."""
