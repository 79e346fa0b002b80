"""From Python to a program: running a kernel once, with the loops, scopes and annotations that it is written in."""
