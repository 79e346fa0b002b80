"""What every public function of the dialect does around its own body: it is named in errors, as the user spells it."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from jnki.source import calling, user_location


def publish(namespace: dict[str, Any], spelling: str, names: Iterable[str]) -> None:
    """Makes the functions among the names of a module's `namespace` say who they are: `nl.add`, `nisa.dma_copy`."""
    for name in names:
        if inspect.isfunction(namespace[name]):
            namespace[name] = _published(namespace[name], f"{spelling}.{name}")


def _published(function: Callable[..., Any], spelled: str) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with calling(spelled):
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                problem = misfit(signature, spelled, args, kwargs)
                if problem is None:
                    raise
                # From None: where Python found that out is no line of the user's.
                raise TypeError(problem) from error.__cause__

    return call


def misfit(signature: inspect.Signature, spelled: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """What is wrong with the arguments of a call, with the user's line; None where they fit the signature."""
    try:
        signature.bind(*args, **kwargs)
        return None
    except TypeError:
        pass
    by_place = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_name = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    takes = f"it takes {', '.join((*by_place, *by_name)) or 'no argument by name'}"
    unexpected = [name for name in kwargs if name not in (*by_place, *by_name)]
    required = [name for name in (*by_place, *by_name) if signature.parameters[name].default is inspect.Parameter.empty]
    missing = [name for name in required if name not in kwargs and name not in by_place[: len(args)]]
    if len(args) > len(by_place) and not takes_any:
        text = f"{spelled}() takes {len(by_place)} positional arguments but {len(args)} were given"
        if named := [name for name in by_name if name not in kwargs][: len(args) - len(by_place)]:
            each = ", ".join((*("..." for _ in by_place), *(f"{name}=..." for name in named)))
            text += f"; {' and '.join(f'{name}=' for name in named)} {'are' if named[1:] else 'is'} given by name: "
            text += f"{spelled}({each})"
    elif unexpected:
        text = f"{spelled}() got an unexpected keyword argument '{unexpected[0]}'; {takes}"
        if unexpected[0] == "dst":
            text += ", and returns its result, as all of the legacy dialect but dma_copy and store do"
    elif missing:
        text = f"{spelled}() is called without '{missing[0]}'; {takes}"
    else:
        text = f"{spelled}() got multiple values for one argument; {takes}"
    at = user_location()
    return text + (f"\n  at {at.describe()}" if at is not None else "")
