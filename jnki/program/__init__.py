"""Programs: what a recorded kernel is, and how it prints. Who records, reads or runs one is not known here."""

from jnki.program.program import DeviceLoop, Loop, LoopKind, Node, Parameter, Program

__all__ = ["DeviceLoop", "Loop", "LoopKind", "Node", "Parameter", "Program"]
