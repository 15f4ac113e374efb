"""Readers of lists of hosts: bytes in, rows with line numbers and problems out. No I/O."""
