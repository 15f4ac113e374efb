"""The engine: a host goes in, outcomes come out. It knows no database, no web and no user."""
