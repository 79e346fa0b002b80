"""`neuronxcc.starfish.support.dtype`: element types of `nki.language`; other names of it are absent."""

from typing import Any

from jnki.neuronxcc.absent import REASONS, Absent
from jnki.neuronxcc.nki import language

_TYPES = ("bfloat16", "float8_e4m3", "float8_e5m2", "tfloat32", "static_cast")


def __getattr__(name: str) -> Any:
    if name in _TYPES:
        return getattr(language, name)
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(f"neuronxcc.starfish.support.dtype.{name}", REASONS["starfish"])
