"""Measurements behind BENCHMARKS.md: `python -m tests.suites.bench --help`. No test; nothing here runs in the suite."""
