"""First run: the one-time link that makes the first administrator."""
