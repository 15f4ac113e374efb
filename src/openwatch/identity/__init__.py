"""Who may do what: users, sessions, first run, permissions, idempotency keys."""
