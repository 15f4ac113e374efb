"""Benchmarks: figures of this machine, and ratios that were measured side by side in one run."""
