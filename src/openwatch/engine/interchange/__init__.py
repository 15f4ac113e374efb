"""Formats in which results leave the engine."""
