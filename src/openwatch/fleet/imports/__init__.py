"""Hosts from files: CSV, plain text, known_hosts, Ansible inventories."""
