"""`NKIObject`: what kernels derive their own classes from."""

from typing import Any


class NKIObject:
    """A base of configuration objects: keyword arguments become attributes, unless a class has its own `__init__`."""

    def __init__(self, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)
