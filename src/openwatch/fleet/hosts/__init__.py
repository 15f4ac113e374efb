"""The inventory: one row for every host, with what its scans last said."""
