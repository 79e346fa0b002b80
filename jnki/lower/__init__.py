"""From a program to a pure function: loops, the call of a kernel, and where faults go."""
