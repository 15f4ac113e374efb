"""Slows down guessing of passwords, per user and per address, over all processes."""
