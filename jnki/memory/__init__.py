"""What is in memory: `DeviceMemory`, its fault record, and moving elements through access patterns."""

from jnki.memory import exported as exported
from jnki.memory.device_memory import DeviceMemory
from jnki.memory.fault import Fault
from jnki.memory.fault_error import FaultError
from jnki.memory.loops import NO_LOOPS, Loops

__all__ = ["NO_LOOPS", "DeviceMemory", "Fault", "FaultError", "Loops"]
