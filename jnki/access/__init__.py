"""Where elements are: affine indices, access patterns, masks and bounds. Nothing here touches values."""
