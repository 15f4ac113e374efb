"""Our verdicts beside those of another scanner, on the same host in the same state."""
