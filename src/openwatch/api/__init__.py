"""The HTTP API: assembly, errors, health, documents, static UI."""
