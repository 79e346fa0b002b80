"""`nl.device_print`."""

from typing import Any

from jnki.isa.device_print import DevicePrint
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.tensor import as_tensor


def device_print(print_prefix: str, tensor: Any) -> None:
    """Prints a text and the values of a tensor each time that the kernel gets here."""
    recorder = current("nl.device_print")
    source = as_tensor(tensor, "device_print", "tensor").access
    instruction = DevicePrint(prefix=str(print_prefix), src=source, location=user_location())
    instruction.check(recorder.target)
    recorder.emit(instruction)
