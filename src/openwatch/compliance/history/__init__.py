"""The verdict on every rule of every host at any time, as intervals."""
