"""One case alone, from the text that a report names it by."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jnki.memory import Fault
from jnki.testing.arguments import Arguments, domains_of
from jnki.testing.report import literals
from jnki.testing.subject import subject_of
from jnki.testing.token import parsed


@dataclass(frozen=True)
class Replayed:
    """One case.

    Attributes:
        arguments: what the kernel was called with.
        outputs: what it gives.
        fault: its fault record.
    """

    name: str
    arguments: tuple[Any, ...]
    outputs: Any
    fault: Fault
    statements: str

    def __str__(self) -> str:
        faults = [f"fault: row index {d.index} of axis size {d.site.axis_size}" for d in self.fault.details()]
        return "\n".join([self.name, self.statements, f"outputs: {self.outputs}", *faults])


def replay(kernel: Any, token: str, *domains: Any) -> Replayed:
    """The case that `token` names, run alone.

    Args:
        kernel: what was checked, or anything else that takes such arguments.
        token: `seed:case:domains`, from a report.
        domains: those of the check, where the token does not spell them out.

    Raises:
        ValueError: this is no token, it has no domains, or it belongs to other domains than those given.
    """
    case, subject = parsed(token), subject_of(kernel)
    arguments = Arguments(domains or domains_of(case), subject.parameters)
    if domains and arguments.token()[0] != case.domains:
        raise ValueError("the token belongs to other domains than those that are given")
    arrays = arguments.alone(case.seed, case.case)
    args = arguments.assembled(arrays)
    outputs, fault = jax.device_get(jax.jit(lambda *a: subject.run(*arguments.assembled(a)))(*arrays))
    statements = "\n".join(literals(arguments.names, arrays))
    return Replayed(subject.name, args, outputs, jax.tree.map(np.asarray, fault), statements)
