"""Documented names of the legacy dialect that jnki does not model: using one says so."""

TOP = frozenset(["FrameworkKernel"])
ISA = frozenset(["builtin_custom_op"])
LANGUAGE: frozenset[str] = frozenset()

REASONS = {
    "builtin_custom_op": "it runs a compiled library of the vendor on the GpSimd processors, and there is neither",
}
"""Why a name is not to come."""
