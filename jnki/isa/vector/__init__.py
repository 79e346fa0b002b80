"""Instructions of the Vector Engine, a file each, and what only they share."""
