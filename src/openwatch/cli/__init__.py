"""The command line: `openwatch` for daily work, `owadm` for administration."""
