"""Groups of hosts: listed by hand, or found by a rule."""
