"""One file per wing and change, in one line: each names the one before it."""
