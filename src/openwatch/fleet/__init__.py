"""The hosts of the fleet, how they are reached, and which keys they are known by."""
