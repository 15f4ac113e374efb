"""The SSH host keys that are known, and what happens when a host shows another one."""
