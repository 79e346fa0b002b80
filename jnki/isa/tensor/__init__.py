"""Instructions of the Tensor Engine, a file each, and what only they share."""
