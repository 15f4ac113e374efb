"""How to log in and to gain privilege. Secrets are sealed, and never leave over the API."""
