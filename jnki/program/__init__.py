"""Programs: what a recorded kernel is, how it is recorded, and how it prints."""

from jnki.program.program import Loop, LoopKind, Node, Parameter, Program

__all__ = ["Loop", "LoopKind", "Node", "Parameter", "Program"]
