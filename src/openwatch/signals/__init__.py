"""The event log and the live stream of it."""
