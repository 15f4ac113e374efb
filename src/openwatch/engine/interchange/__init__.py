"""Documents that leave and enter OpenWatch."""
