"""A folder for `sys.path`: what is imported from it by name is served by jnki, in a process that nobody prepared."""
