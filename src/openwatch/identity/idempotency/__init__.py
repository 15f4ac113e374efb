"""A request that starts work is carried out once, however often it is sent."""
