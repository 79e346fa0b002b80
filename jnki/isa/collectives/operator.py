"""The operators that collectives combine with."""

from typing import Any

from jnki.dtypes import ElementType
from jnki.errors import RuleError
from jnki.isa.collectives.exchange import OPERATORS
from jnki.isa.instruction import Instruction
from jnki.isa.operators import name_of

_ALIASES = {"min": "minimum", "amin": "minimum", "max": "maximum", "amax": "maximum", "sum": "add"}


def operator_name(op: Any, function: str) -> str:
    """The name of an operator: of a dialect's function, a NumPy function, or itself.

    Raises:
        RuleError: `<function>.op`.
    """
    name = op if isinstance(op, str) else name_of(op)
    found = _ALIASES.get(name or "", name or "")
    if found not in OPERATORS:
        raise RuleError(
            f"{function}.op",
            f"{function}: no collective combines with this",
            given=getattr(op, "__name__", repr(op))[:80],
            allowed=", ".join(OPERATORS),
        )
    return found


def check_operator(instruction: Instruction, op: str, kind: ElementType) -> None:
    """The elements are numbers.

    Raises:
        RuleError: `<name>.op`, `<name>.dtype`.
    """
    operator_name(op, instruction.name)
    if kind.name == "bool" or kind.is_opaque:
        raise instruction.error(
            f"{instruction.name}.dtype", f"'{op}' combines numbers", given=str(kind), allowed="integers or floats"
        )
