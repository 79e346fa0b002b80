"""A kernel function whose annotated assignments check the shape of what they assign.

Python drops the annotation of a local variable, so the check has to come from the source:

    x: tensor[128, 512] = nl.load(a)                            what the user wrote
    <check>("x", x, lambda: tensor, lambda: tensor[128, 512])   what is added behind it, on the same line
"""

import ast
import builtins
from collections import ChainMap
from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any, TypeVar

from jnki.record.recompile import codes_in, definition_of, recompile
from jnki.record.tensor_annotation import (
    TensorAnnotation,
    check,
    is_mutable,
    mutable,
    mutable_tensor,
    tensor,
)

__all__ = [
    "TensorAnnotation",
    "check",
    "check_annotations",
    "is_mutable",
    "mutable",
    "mutable_tensor",
    "tensor",
]

F = TypeVar("F", bound=Callable[..., Any])

_CHECK = "__jnki_check_annotation__"
_UNKNOWN = object()


def check_annotations(function: F) -> F:
    """A function equal to `function` that checks `name: tensor[...] = value`; the same one if it has none.

    The functions defined in its body check too; the classes defined there do not. The result has the globals,
    the closure cells, the defaults and the attributes of the original, and its line numbers. An annotation is
    evaluated only if what it subscribes is `tensor` or `mutable_tensor`; one that fails to evaluate passes.

    What has no source to read comes back as it is, unchecked: a function from the interactive prompt or from
    `exec`, one whose file has changed since it was imported, and whatever is not a plain function. So does a
    method that uses names private to its class (`self.__x`). Apply this when the function is decorated, while
    its file still is as it was compiled.

    Raises:
        RuleError: from the result when it is called, `err_annotation_shape_mismatch`.
    """
    if not isinstance(function, FunctionType) or _CHECK in function.__code__.co_freevars:
        return function
    definition = definition_of(function)
    if definition is None:
        return function
    adder = _CheckAdder(_may_be_marker(function))
    adder.visit(definition)
    if not adder.added:
        return function
    return recompile(function, definition, {_CHECK: _check_if_marked}) or function  # type: ignore[return-value]


def _check_if_marked(name: str, value: object, marker: Callable[[], object], annotation: Callable[[], object]) -> None:
    try:
        if not _is_marker(marker()):
            return
        evaluated = annotation()
    except Exception:  # Python by itself never evaluates it, so what it raises is no error of the kernel
        return
    check(name, value, evaluated)


def _is_marker(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, tensor)


class _CheckAdder(ast.NodeTransformer):
    """Adds a check behind each annotated assignment that may need one, and counts them in `added`."""

    def __init__(self, may_be_marker: Callable[[ast.expr], bool]):
        self.added = 0
        self._may_be_marker = may_be_marker

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node  # a lambda in its body would not see the names of the body

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign | list[ast.stmt]:
        match node:
            case ast.AnnAssign(ast.Name(name), ast.Subscript(marker) as annotation, ast.expr()) if self._may_be_marker(
                marker
            ):
                self.added += 1
                arguments = [
                    ast.Constant(name),
                    ast.Name(name, ast.Load()),
                    _later(marker),
                    _later(annotation),
                ]
                call = ast.Call(ast.Name(_CHECK, ast.Load()), arguments, [])
                return [node, ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))]
        return node


def _later(expression: ast.expr) -> ast.Lambda:
    no_arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(no_arguments, expression)


def _may_be_marker(function: FunctionType) -> Callable[[ast.expr], bool]:
    """A predicate on what an annotation subscribes: False where that surely is no marker.

    For a local variable, or a global one that is not defined yet, the answer waits until the kernel runs.
    """
    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    enclosing = {name: _contents(cell) for name, cell in cells}
    known = ChainMap(enclosing, function.__globals__, vars(builtins))
    local = {name for inner in codes_in(code) for name in (*inner.co_varnames, *inner.co_cellvars)}

    def may_be_marker(expression: ast.expr) -> bool:
        names = _dotted(expression)
        if not names:
            return False
        value = _UNKNOWN if names[0] in local else known.get(names[0], _UNKNOWN)
        for name in names[1:]:
            value = _attribute(value, name)
        return value is _UNKNOWN or _is_marker(value)

    return may_be_marker


def _dotted(expression: ast.expr) -> list[str]:
    """`["nt", "tensor"]` for the syntax of `nt.tensor`; empty for what is not names joined by dots."""
    match expression:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=owner, attr=name):
            owners = _dotted(owner)
            return [*owners, name] if owners else []
    return []


def _attribute(value: object, name: str) -> object:
    try:
        return getattr(value, name)
    except Exception:  # an object of the user's can raise anything, and no one asked for this attribute
        return _UNKNOWN


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # the enclosing function has not assigned it yet
        return _UNKNOWN
