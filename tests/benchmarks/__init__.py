"""Ratios to hand-written JAX and NumPy, measured side by side: `python -m tests.benchmarks`. Nothing asserts a time."""
