"""What a kernel can do with a tensor: handles, views, assignment, operators and functions. All dialects share it."""
