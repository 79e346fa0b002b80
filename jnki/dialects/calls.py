"""What every public function of the dialect does around its own body: it is named in errors, as the user spells it.

A `name=` that the user gives to a call, for the vendor's profiler, stands behind it there.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from jnki.errors import misfit
from jnki.source import calling


def publish(
    namespace: dict[str, Any],
    spelling: str,
    names: Iterable[str],
    hints: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Makes the functions among the names of a module's `namespace` say who they are: `nl.add`, `nisa.dma_copy`.

    Args:
        hints: of arguments that another dialect has, what stands for them in this one.
    """
    for name in names:
        if inspect.isfunction(namespace[name]):
            made = _published(namespace[name], f"{spelling}.{name}", hints)
            # Where it is found: functions are pickled by name, alone or in a configuration.
            made.__module__, made.__qualname__ = namespace["__name__"], name
            namespace[name] = made


def _published(function: Callable[..., Any], spelled: str, hints: Mapping[str, str]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    # Every instruction may be given a name, and so may what the language makes of instructions.
    takes_name = spelled.startswith(("nl.", "nisa.")) and "name" not in signature.parameters
    is_instruction = spelled.startswith("nisa.")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        label = ""
        if isinstance(kwargs.get("name"), str) and (takes_name or is_instruction):
            label = f" '{kwargs.pop('name') if takes_name else kwargs['name']}'"
        with calling(spelled + label):
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                problem = misfit(signature, spelled, args, kwargs, hints)
                if problem is None:
                    raise
                # From None: where Python found that out is no line of the user's.
                raise TypeError(problem) from error.__cause__

    return call
