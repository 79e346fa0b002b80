"""`nl.device_print`."""

from typing import Any

from jnki.access.mask import as_mask
from jnki.isa.device_print import DevicePrint
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.tensor import as_tensor


def device_print(prefix: str, x: Any, *, mask: Any = None) -> None:
    """Prints `prefix` and the values of tensor `x` each time the kernel gets here; masked-off elements print as 0."""
    recorder = current("nl.device_print")
    source = as_tensor(x, "device_print", "x").access
    instruction = DevicePrint(prefix=str(prefix), src=source, mask=as_mask(mask), location=user_location())
    instruction.check(recorder.target)
    recorder.emit(instruction)
