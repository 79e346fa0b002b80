"""Instructions of the Scalar Engine, a file each, and what only they share."""
