"""Recording a kernel: from a Python function and array shapes to a `Program`."""

import inspect
import linecache
import math
from collections.abc import Callable
from typing import Any

import jax

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.analysis.by_hand import check_allocated_by_hand
from jnki.analysis.capacity import check_capacity
from jnki.analysis.dependencies import check_dependencies
from jnki.analysis.exchanges import check_exchanges
from jnki.analysis.lifetimes import check_lifetimes
from jnki.errors import RuleError
from jnki.kernel.arguments import Arguments
from jnki.kernel.dialect import LEGACY, Dialect
from jnki.kernel.log import log_recording
from jnki.kernel.no_tensor import no_tensor
from jnki.kernel.options import Option, Options, max_trips_of
from jnki.program.program import Parameter, Program
from jnki.record.attempts import record
from jnki.record.cores import Cores
from jnki.record.grid import run_grid
from jnki.record.merge import merged
from jnki.record.python_state import PythonState
from jnki.record.recorder import Recorder
from jnki.record.reroll.reroll import rerolled
from jnki.record.tensor_annotation import is_mutable
from jnki.source import Location
from jnki.target import Target
from jnki.tiles.tensor import Tensor, whole


def record_kernel(
    function: Callable[..., Any],
    signature: inspect.Signature,
    bound: dict[str, Any],
    arguments: Arguments,
    grid: tuple[int, ...],
    target: Target,
    options: Options = frozenset(),
    *,
    out_parameters: bool = False,
    dialect: Dialect = LEGACY,
    axes: tuple[str, ...] = (),
    recorder_of: Callable[..., Recorder] = Recorder,
) -> tuple[Program, Any, frozenset[str]]:
    """The program of `function` for these arguments, the structure of its outputs, and the names of its instructions.

    Args:
        bound: arguments by parameter name, defaults applied.
        arguments: the same, flattened.
        out_parameters: whether a kernel that returns nothing gives out the parameters that it writes, all of which it
            may write.
        dialect: what the kernel is written in. Where that lets a kernel write any parameter, those that it writes and
            does not return are the last outputs.
        axes: of the mesh, along which ranks are counted.
        recorder_of: makes what records; one that runs the kernel step by step makes a program that is not run again,
            and so its loops are not looked for.

    Raises:
        RuleError: the kernel breaks a rule.
    """
    mutable = _mutable_names(signature)
    any_mutable = out_parameters or dialect.writes_parameters
    parameters = tuple(
        Parameter(Buffer(name, Space.HBM, spec.shape, spec.dtype), owner in mutable)
        for name, owner, spec in zip(arguments.names, arguments.parameters, arguments.specs)
    )

    definition = _definition(function)

    def make(unrolled: frozenset[Any]) -> Recorder:
        if dialect.numbers_programs:
            unrolled |= {("grid", axis) for axis in range(len(grid))}
        by_core = dialect.numbers_programs and math.prod(grid) > 1
        recorder = recorder_of(
            target=target,
            handle=dialect.handle,
            grid=grid,
            axes=axes,
            unrolled=unrolled,
            keeps_places=Option.FORCE_AUTO_ALLOC not in options,
            cores=Cores() if by_core else None,
        )
        recorder.max_trips = max_trips_of(options)
        recorder.kernel_code.append(getattr(inspect.unwrap(function), "__code__", None))
        for parameter in parameters:
            recorder.add_parameter(parameter.buffer, any_mutable or parameter.mutable)
        return recorder

    def attempt(recorder: Recorder) -> tuple[Program, Any, frozenset[str]]:
        handles: list[Any] = [whole(recorder, p.buffer, recorder.scope) for p in parameters]

        def instance() -> tuple[tuple[Access, ...], Any]:
            values = arguments.rebuild(handles)
            call_args, call_kwargs = _spread(signature, values)
            try:
                result = function(*call_args, **call_kwargs)
            except AttributeError as error:
                if (refusal := no_tensor(error, values, function)) is None:
                    raise
                raise refusal from error
            outputs, structure = jax.tree.flatten(result, is_leaf=lambda leaf: isinstance(leaf, Tensor))
            return tuple(_output(value, recorder, definition, dialect) for value in outputs), structure

        accesses, structure = _common_outputs(run_grid(recorder, instance), definition)
        known = parameters
        if any_mutable:
            known = tuple(Parameter(p.buffer, p.mutable or p.buffer.name in recorder.written) for p in parameters)
            if not accesses:
                accesses = tuple(Access.whole(p.buffer) for p in known if p.buffer.name in recorder.written)
                structure = jax.tree.structure(0 if len(accesses) == 1 else (0,) * len(accesses))
        if dialect.writes_parameters:
            returned = {a.buffer.name for a in accesses}
            accesses += tuple(Access.whole(p.buffer) for p in known if p.mutable and p.buffer.name not in returned)
        before, *cores = recorder.finished_blocks({a.buffer.name for a in accesses})
        _check_written(recorder, known, accesses, definition)
        # On chip, each core has memories of its own.
        for block in (before, *cores):
            check_dependencies(block)
            check_exchanges(block)
            check_capacity(block, target)
            if Option.STACK_ALLOCATOR not in options:
                check_allocated_by_hand(block)
            check_lifetimes(block, target)
        body = (*before, *merged(tuple(cores), target))
        buffers = tuple(recorder.scopes[0].buffers)
        if not recorder.steps:
            recorded = len(body)
            body, buffers = rerolled(body, buffers, {a.buffer.name for a in accesses})
            log_recording(_named(definition), recorded, body, recorder.unrolled_because, definition)
        program = Program(
            name=getattr(function, "__name__", type(function).__name__),
            target=target,
            grid=grid,
            parameters=known,
            buffers=buffers,
            body=body,
            outputs=accesses,
            cores=(before, *cores) if cores else (),
        )
        return program, structure, frozenset(recorder.labels)

    static = arguments.rebuild([None] * len(arguments.arrays))
    with dialect.recording():
        return record(attempt, make, PythonState({"kernel": function, "arguments": static}).undo())


def _mutable_names(signature: inspect.Signature) -> set[str]:
    return {p.name for p in signature.parameters.values() if is_mutable(p.annotation)}


def _spread(signature: inspect.Signature, values: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    bound = inspect.BoundArguments(signature, dict(values))
    return bound.args, bound.kwargs


def _definition(function: Callable[..., Any]) -> Location | None:
    """The line that defines the kernel: where errors about what it returns point to."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    line = code.co_firstlineno
    while linecache.getline(code.co_filename, line).lstrip().startswith("@"):
        line += 1
    return Location(code.co_filename, line, code.co_name)


def _named(definition: Location | None) -> str:
    return f"kernel {definition.function}" if definition is not None else "the kernel"


def _common_outputs(
    results: list[tuple[tuple[Access, ...], Any]], definition: Location | None
) -> tuple[tuple[Access, ...], Any]:
    """What all instances of the grid return.

    Raises:
        RuleError: they return different tensors.
    """
    for result in results[1:]:
        if result != results[0]:
            raise RuleError(
                "spmd.outputs",
                f"the instances of the launch grid of {_named(definition)} return different tensors",
                given=" or ".join(", ".join(map(str, accesses)) for accesses, _ in (results[0], result)),
                allowed="the same tensors in nl.shared_hbm from every instance",
                at=definition,
            )
    return results[0]


def _output(value: Any, recorder: Recorder, definition: Location | None, dialect: Dialect) -> Access:
    if not isinstance(value, Tensor):
        raise RuleError(
            "toplevel.hbm_only",
            f"{_named(definition)} returns something that is no tensor",
            given=f"{type(value).__name__} {value}"[:80],
            allowed="a tensor in nl.shared_hbm, or a tuple or list of them",
            at=definition,
        )
    if value._access.buffer.space is not Space.HBM:
        raise RuleError(
            "toplevel.hbm_only",
            f"tensor '{value.name}' cannot be returned from {value.space}",
            given=str(value._access.buffer),
            allowed="a tensor in nl.shared_hbm, filled with nl.store or nisa.dma_copy",
            at=definition,
        )
    access = value.access
    if value._access.symbols or access.indirect is not None or access.unchecked:
        raise RuleError(
            "toplevel.output_view",
            f"the part of tensor '{value.name}' that is returned must be known",
            given=str(access),
            allowed="a whole tensor, or a part of one at constant indices inside of it",
            at=definition,
        )
    if (recorder.grid or dialect.shares_outputs) and not recorder.is_outside_grid(access.buffer):
        raise RuleError(
            "toplevel.shared_hbm",
            f"tensor '{value.name}' belongs to one instance of the launch grid",
            given=f"{access.buffer}, made with nl.hbm or nl.private_hbm",
            allowed="a tensor in nl.shared_hbm, which all instances share",
            at=definition,
        )
    return access


def _check_written(
    recorder: Recorder,
    parameters: tuple[Parameter, ...],
    outputs: tuple[Access, ...],
    definition: Location | None,
) -> None:
    inputs = {p.buffer.name for p in parameters}
    returned = [a.buffer.name for a in outputs]
    if not outputs:
        raise RuleError(
            "err_tensor_output_not_written_to",
            f"{_named(definition)} has no output",
            given="it returns nothing",
            allowed="return a tensor in nl.shared_hbm",
            at=definition,
        )
    for access in outputs:
        if access.buffer.name not in inputs | recorder.written:
            raise RuleError(
                "err_tensor_output_not_written_to",
                f"output '{access.buffer.name}' of {_named(definition)} is never written to",
                given=f"{access.buffer}; a loop around the store may run zero times",
                allowed="a store that runs at least once",
                at=definition,
            )
    for parameter in parameters:
        name = parameter.buffer.name
        if parameter.mutable and name in recorder.written and name not in returned:
            raise RuleError(
                "err_mutable_parameter_not_returned",
                f"mutable parameter '{name}' is written but not returned",
                given=", ".join(returned) + " returned",
                allowed=f"return {name} as well",
                at=definition,
            )
