"""What a program costs, as far as that is published: bytes, descriptors, and lower bounds of time. It runs nothing.

A bound is no prediction: nothing is faster than these terms allow, and what is published nowhere is not in them.
"""
