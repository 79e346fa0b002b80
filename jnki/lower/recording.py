"""Recording a kernel: from a Python function and array shapes to a `Program`."""

import inspect
from collections.abc import Callable
from typing import Any

import jax

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.errors import RuleError
from jnki.lower.arguments import Arguments, spec_of
from jnki.program.dependencies import check_dependencies
from jnki.program.program import Parameter, Program
from jnki.program.recorder import Recorder, record
from jnki.program.tensor import Tensor, whole
from jnki.program.tensor_annotation import is_mutable
from jnki.target import Target


def record_kernel(
    function: Callable[..., Any],
    signature: inspect.Signature,
    bound: dict[str, Any],
    arguments: Arguments,
    grid: tuple[int, ...],
    target: Target,
) -> tuple[Program, Any]:
    """The program of `function` for these arguments, and the structure in which its outputs are returned.

    Args:
        bound: arguments by parameter name, defaults applied.
        arguments: the same, flattened.

    Raises:
        RuleError: the kernel breaks a rule.
    """
    specs = [spec_of(a) for a in arguments.arrays]
    mutable = _mutable_names(signature)
    parameters = tuple(
        Parameter(Buffer(name, Space.HBM, spec.shape, spec.dtype), name in mutable)
        for name, spec in zip(arguments.names, specs)
    )

    def make(unrolled: frozenset[Any]) -> Recorder:
        recorder = Recorder(target=target, grid=grid, unrolled=unrolled)
        recorder.kernel_code.append(getattr(inspect.unwrap(function), "__code__", None))
        for parameter in parameters:
            recorder.reserve(parameter.buffer.name)
            if not parameter.mutable:
                recorder.immutable[parameter.buffer] = parameter.buffer.name
        return recorder

    def attempt(recorder: Recorder) -> tuple[Program, Any]:
        handles: list[Any] = [whole(p.buffer, recorder.scope) for p in parameters]
        call_args, call_kwargs = _spread(signature, arguments.rebuild(handles))
        with recorder.grid_loops():
            result = function(*call_args, **call_kwargs)
        outputs, structure = jax.tree.flatten(result, is_leaf=lambda leaf: isinstance(leaf, Tensor))
        accesses = tuple(_output(value) for value in outputs)
        _check_written(recorder, parameters, accesses, function)
        body = recorder.finished_body({a.buffer for a in accesses})
        check_dependencies(body)
        program = Program(
            name=getattr(function, "__name__", type(function).__name__),
            target=target,
            grid=grid,
            parameters=parameters,
            buffers=tuple(recorder.scopes[0].buffers),
            body=body,
            outputs=accesses,
        )
        return program, structure

    return record(attempt, make)


def _mutable_names(signature: inspect.Signature) -> set[str]:
    return {p.name for p in signature.parameters.values() if is_mutable(p.annotation)}


def _spread(signature: inspect.Signature, values: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    bound = inspect.BoundArguments(signature, dict(values))
    return bound.args, bound.kwargs


def _output(value: Any) -> Access:
    if not isinstance(value, Tensor):
        raise RuleError(
            "toplevel.hbm_only",
            "a kernel returns tensors",
            given=f"{type(value).__name__} {value}"[:80],
            allowed="a tensor in nl.shared_hbm, or a tuple or list of them",
        )
    if value._access.buffer.space is not Space.HBM:
        raise RuleError(
            "toplevel.hbm_only",
            f"tensor '{value.name}' cannot be returned from {value.buffer}",
            given=str(value._access.buffer),
            allowed="a tensor in nl.shared_hbm, filled with nl.store or nisa.dma_copy",
        )
    return value.access


def _check_written(
    recorder: Recorder, parameters: tuple[Parameter, ...], outputs: tuple[Access, ...], function: Any
) -> None:
    inputs = {p.buffer for p in parameters}
    returned = {a.buffer for a in outputs}
    name = getattr(function, "__name__", "kernel")
    if not outputs:
        raise RuleError(
            "err_tensor_output_not_written_to",
            f"kernel '{name}' has no output",
            given="it returns nothing",
            allowed="return a tensor in nl.shared_hbm",
        )
    for access in outputs:
        if access.buffer not in inputs and access.buffer not in recorder.written:
            raise RuleError(
                "err_tensor_output_not_written_to",
                f"output '{access.buffer.name}' of kernel '{name}' is never written to",
                given=f"{access.buffer}; a loop around the store may run zero times",
                allowed="a store that runs at least once",
            )
    for parameter in parameters:
        if parameter.mutable and parameter.buffer in recorder.written and parameter.buffer not in returned:
            raise RuleError(
                "err_mutable_parameter_not_returned",
                f"mutable parameter '{parameter.buffer.name}' of kernel '{name}' is written but not returned",
                given=", ".join(a.buffer.name for a in outputs) + " returned",
                allowed=f"return {parameter.buffer.name} as well",
            )
