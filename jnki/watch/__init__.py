"""What a kernel does with the values of one call: findings at run time, as data, beside its outputs.

A program is rewritten, with instructions beside its own that watch them, and lowered as any other.
"""
