"""Instructions of the GpSimd Engine, a file each, and what only they share."""
