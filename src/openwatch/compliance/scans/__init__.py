"""One run over one host, from the queue to its outcomes."""
