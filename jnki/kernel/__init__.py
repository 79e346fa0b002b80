"""The object that users call: its arguments, its cache, and where its faults go."""
