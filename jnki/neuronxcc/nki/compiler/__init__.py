"""`neuronxcc.nki.compiler` (`ncc`): allocation by hand, and what a kernel asks of the vendor's compiler."""

from jnki.dialects.calls import publish
from jnki.neuronxcc.nki.compiler import psum, sbuf
from jnki.neuronxcc.nki.compiler.decorators import (
    enable_stack_allocator,
    force_auto_alloc,
    skip_middle_end_transformations,
)
from jnki.neuronxcc.nki.directives import allocation_scope, multi_buffer, no_reorder

__all__ = [
    "allocation_scope",
    "enable_stack_allocator",
    "force_auto_alloc",
    "multi_buffer",
    "no_reorder",
    "psum",
    "sbuf",
    "skip_middle_end_transformations",
]

publish(globals(), "nki.compiler", __all__)
