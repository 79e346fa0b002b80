"""What a result is compared with: a function of JAX's, vmapped, or one of NumPy's, case by case."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jnki.kernel.kernel import Kernel
from jnki.memory import Fault
from jnki.testing.subject import subject_of


@dataclass(frozen=True)
class Raised:
    """A reference in NumPy has raised an `IndexError` for this case: it expects a fault."""

    error: IndexError


@dataclass(frozen=True)
class Reference:
    """The reference, and how it is run.

    Attributes:
        function: as it was given.
        traced: whether it is a function of JAX's.
        batched: whether it takes all cases at once.
        run: for a traced one, from the arguments of a case to (expected outputs, fault).
        has_faults: whether its fault record says which cases fault.
    """

    function: Callable[..., Any]
    traced: bool
    batched: bool
    run: Callable[..., tuple[Any, Fault]]
    has_faults: bool

    def __str__(self) -> str:
        how = "all cases at once" if self.batched else "vmapped" if self.traced else "case by case"
        return f"{'JAX' if self.traced else 'NumPy'}, {how}"


def numpy_reference(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which is never to be traced: it runs on NumPy's arrays even if JAX could trace it."""

    def reference(*args: Any) -> Any:
        return function(*args)

    reference.never_traced = True  # type: ignore[attr-defined]
    return reference


def reference_of(function: Any, args: Any, batched: bool) -> Reference:
    """How to run `function`: traced if JAX can trace it.

    Args:
        args: the arguments of one case, or of a batch where `batched`, as shapes and static values.
    """
    subject = subject_of(function)
    has_faults = isinstance(function, Kernel) or subject.kernel is not None
    traced = has_faults or (not hasattr(function, "never_traced") and _traces(subject.run, args))
    return Reference(function, traced, batched, subject.run, has_faults)


def _traces(run: Callable[..., Any], args: Any) -> bool:
    leaves, structure = jax.tree.flatten(args)
    shaped = [place for place, leaf in enumerate(leaves) if isinstance(leaf, jax.ShapeDtypeStruct)]

    def call(arrays: Any) -> Any:
        filled = list(leaves)
        for place, array in zip(shaped, arrays):
            filled[place] = array
        return run(*jax.tree.unflatten(structure, filled))

    try:
        result = jax.eval_shape(call, [leaves[place] for place in shaped])
    except Exception:  # whatever a function of NumPy's makes of a tracer
        return False
    return all(hasattr(leaf, "shape") for leaf in jax.tree.leaves(result))


def in_numpy(reference: Reference, args: tuple[Any, ...]) -> Any:
    """The expected outputs of one case (or of a batch) on the host; `Raised` where it raises an IndexError."""
    with np.errstate(all="ignore"):
        try:
            return jax.tree.map(np.asarray, reference.function(*args))
        except IndexError as error:
            return Raised(error)
