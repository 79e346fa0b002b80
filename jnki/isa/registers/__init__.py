"""Registers of the engines: numbers that loops on the device count in, and that operands start at."""
