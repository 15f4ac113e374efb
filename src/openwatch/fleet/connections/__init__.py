"""From an inventory row to a live login: targets, jump chains and connection tests."""
