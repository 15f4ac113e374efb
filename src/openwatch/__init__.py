"""OpenWatch: measures Linux fleets over SSH and keeps the evidence."""

__version__ = "0.1.0"
