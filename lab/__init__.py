"""Linux hosts on one machine, for tests, benchmarks and demonstrations.

Real hosts (``lab.control``) are Debian root file systems with their own network address, sshd and,
where the machine allows it, systemd; they need root. Simulated hosts (``lab.sim``) are SSH servers
inside one process that play a recorded collection, hundreds of them; they need no privilege.
"""
