"""Scans of hosts, their results and evidence, and the history of every verdict."""
