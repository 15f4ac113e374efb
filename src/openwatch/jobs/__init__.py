"""Work that is done outside a request: the queue, the worker and periodic tasks."""
