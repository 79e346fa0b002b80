"""From a program to a pure function: which form each loop gets, and running it."""
