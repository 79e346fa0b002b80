"""Instructions of the DMA engines, a file each, and what only they share."""
