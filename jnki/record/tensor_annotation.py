"""The markers `tensor[...]` and `mutable_tensor`, and the check of a value against one.

NKI reads two things from Python's annotations: which parameters a kernel may write (`x: mutable_tensor`), and
which shape a local variable must have (`x: tensor[128, 512] = nl.load(a)`). The second needs help, because
Python does not evaluate the annotation of a local variable: `jnki.record.annotations` does that.
"""

import ast
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, get_args

from jnki.errors import RuleError


@dataclass(frozen=True, slots=True)
class TensorAnnotation:
    """What a subscription of `tensor` or `mutable_tensor` says.

    Attributes:
        shape: the sizes, or None where the subscription does not consist of integers.
        dtype: the element type as it was written, or None. It is recorded and not checked: the rule of NKI
            is about shapes.
        mutable: whether a kernel may write a parameter with this annotation.
    """

    shape: tuple[int, ...] | None
    dtype: object = None
    mutable: bool = False


class mutable:
    """Marks a parameter that the kernel may write, in the spelling `tensor[mutable]`."""


class tensor:
    """Marks a tensor in an annotation: `tensor`, `tensor[128, 512]`, or `tensor[[128, 512], nl.bfloat16]`."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        raise TypeError(f"{cls.__name__} is an annotation and has no instances; nl.ndarray makes a tensor")

    def __class_getitem__(cls, item: Any) -> TensorAnnotation:
        writes = issubclass(cls, mutable_tensor)
        match item:
            case type() if item is mutable:
                return TensorAnnotation(None, mutable=True)
            case (list() | tuple() as shape, dtype):
                return TensorAnnotation(_sizes(shape), dtype, writes)
            case list() | tuple():
                return TensorAnnotation(_sizes(item), None, writes)
            case _:
                return TensorAnnotation(_sizes([item]), None, writes)


class mutable_tensor(tensor):
    """Marks a parameter that the kernel may write; it takes the same subscripts as `tensor`."""


def _sizes(shape: Sequence[Any]) -> tuple[int, ...] | None:
    try:
        return tuple(operator.index(size) for size in shape)
    except TypeError:
        return None


def is_mutable(annotation: object) -> bool:
    """Whether the annotation of a parameter lets the kernel write it.

    Args:
        annotation: `mutable_tensor`, a subscription of it, `tensor[mutable]`, a union with one of them, or
            the text of one, which is what `from __future__ import annotations` leaves. In a text the marker
            is known by its own name: an import under another (`import mutable_tensor as mt`) goes unseen.
    """
    match annotation:
        case str():
            return _names_mutable(annotation)
        case TensorAnnotation():
            return annotation.mutable
        case type():
            return issubclass(annotation, mutable_tensor)
        case _:
            return any(is_mutable(member) for member in get_args(annotation))


def _names_mutable(text: str) -> bool:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(names & {mutable.__name__, mutable_tensor.__name__})


def check(name: str, value: object, annotation: object) -> None:
    """Returns if `value` has the shape that `annotation` asks for, or if there is nothing to compare.

    Args:
        name: the annotated variable, for the message.
        value: what was assigned to it. Without a `shape` of integers it is no tensor, and passes.
        annotation: a `TensorAnnotation` with a shape; anything else passes.

    Raises:
        RuleError: `err_annotation_shape_mismatch`.
    """
    if not isinstance(annotation, TensorAnnotation) or annotation.shape is None:
        return
    shape = getattr(value, "shape", None)
    given = _sizes(shape) if isinstance(shape, Sequence) else None
    if given is not None and given != annotation.shape:
        raise RuleError(
            "err_annotation_shape_mismatch",
            f"the value assigned to `{name}` is not of the annotated shape",
            given=f"`{name}` of shape {list(given)}",
            allowed=f"shape {list(annotation.shape)}",
        )
