"""PostgreSQL: the embedded server, connections, the schema and its migrations."""
