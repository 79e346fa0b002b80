"""Imports of `nki` and `neuronxcc` are answered by jnki, so that an NKI kernel file runs as it is.

While an alias is installed, `import nki.language as nl` gives `jnki.nki.language` itself, not a copy: both names
stand for one object in `sys.modules`. Nothing on disk is touched, and a package of that name that is installed there
comes back with `uninstall`.

`python -m jnki` does this for one command. In a test suite, call it before the first import of either dialect:

    # conftest.py
    import jnki.serve
    jnki.serve.install()

The aliases belong to the process. A process that `multiprocessing` spawns gets `sys.path` from its parent; with
`PATH` on it, which `python -m jnki` adds, the aliases are installed there by the first import. Any other process has
to install them itself.
"""

import importlib
import importlib.util
import logging
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from jnki.neuronxcc.absent import AbsentModule, reason


@dataclass(frozen=True)
class Alias(MetaPathFinder):
    """A `sys.meta_path` finder by which one package answers to a second name.

    Attributes:
        prefix: the name that is imported, such as `neuronxcc`.
        served_by: the package that answers, such as `jnki.neuronxcc`.
        why_absent: of a module below the prefix that it does not have, why; None where there is no such module at all.
    """

    prefix: str
    served_by: str
    why_absent: Callable[[str], str | None] = field(default=lambda name: None, compare=False)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that loads the serving module under the name `fullname`, or None outside of the prefix.

        Raises:
            ModuleNotFoundError: the serving package has no such module.
        """
        if fullname != self.prefix and not fullname.startswith(self.prefix + "."):
            return None
        below = fullname.removeprefix(self.prefix).lstrip(".")
        real_name = f"{self.served_by}.{below}" if below else self.served_by
        real = _found(real_name, self.served_by)
        if real is None and (why := self.why_absent(below)) is not None:
            return ModuleSpec(fullname, _AbsentLoader(why), is_package=True)
        if real is None:
            # Not None: the finders behind this one would load an installed package and mix the two.
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: {self.prefix} is served by {self.served_by}, which does not provide it",
                name=fullname,
            )
        is_package = real.submodule_search_locations is not None
        return ModuleSpec(fullname, _Served(real_name), origin=real.origin, is_package=is_package)

    def modules(self) -> list[str]:
        """The names at or below the prefix that are imported now."""
        return [name for name in sys.modules if name == self.prefix or name.startswith(self.prefix + ".")]


@dataclass(frozen=True)
class _Served(Loader):
    """Loads `real_name` under its own name and hands out that very module."""

    real_name: str

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.real_name)
        # importlib overwrites `__spec__` of what is returned here. With the alias in it, `importlib.reload`,
        # relative imports and `find_spec` would go wrong, so it waits in the spec for `exec_module`.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def _found(real_name: str, served_by: str) -> ModuleSpec | None:
    """The spec of a module of the serving package; None where it, or what it would be inside of, is not there."""
    try:
        return importlib.util.find_spec(real_name)
    except ModuleNotFoundError as error:
        # Of what a module of the serving package imports, nothing is swallowed.
        if error.name is None or not real_name.startswith(error.name) or not error.name.startswith(served_by):
            raise
        return None


@dataclass(frozen=True)
class _AbsentLoader(Loader):
    """Makes a module whose names can be imported, and raise where they are used."""

    why: str

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return AbsentModule(spec.name, self.why)

    def exec_module(self, module: ModuleType) -> None:
        pass


ALIASES: tuple[Alias, ...] = (
    Alias(prefix="neuronxcc", served_by="jnki.neuronxcc", why_absent=reason),
    Alias(prefix="nki", served_by="jnki.nki"),
)
"""The dialects that jnki serves under the vendor's names."""

# Importing the vendor's package leaves this level behind, and files of kernels use it: `logging.disable(logging.OFF)`.
_LOGGING_OFF = logging.CRITICAL + 10

PATH = str(pathlib.Path(__file__).resolve().parent / "on_path")
"""A folder for `sys.path`, handed on to spawned processes: importing a dialect from it installs the aliases."""


def install(aliases: Iterable[Alias] = ALIASES) -> None:
    """Serves the aliases from here on; those that are installed already stay as they are.

    Raises:
        ImportError: a module under an alias is imported already, from somewhere else.
    """
    new = [alias for alias in aliases if alias not in sys.meta_path]
    for alias in new:
        for name in alias.modules():
            _refuse_foreign(alias, name)
    if new and not hasattr(logging, "OFF"):
        logging.OFF = _LOGGING_OFF  # type: ignore[attr-defined]
    sys.meta_path[:0] = new


def _refuse_foreign(alias: Alias, name: str) -> None:
    where = getattr(sys.modules[name], "__file__", None) or "an unknown place"
    raise ImportError(
        f"{name} is imported already, from {where}: jnki cannot serve {alias.prefix} beside it. "
        f"Call jnki.serve.install() before the first import of {alias.prefix}, "
        f"or run the script with `python -m jnki`",
        name=name,
    )


def uninstall(aliases: Iterable[Alias] = ALIASES) -> None:
    """Serves the aliases no longer, and forgets their names; modules that the program holds go on working."""
    for alias in aliases:
        if alias in sys.meta_path:
            sys.meta_path.remove(alias)
            for name in alias.modules():
                del sys.modules[name]
    is_last = not any(isinstance(finder, Alias) for finder in sys.meta_path)
    if is_last and getattr(logging, "OFF", None) is _LOGGING_OFF:
        del logging.OFF  # type: ignore[attr-defined]


@contextmanager
def serve(aliases: Iterable[Alias] = ALIASES) -> Iterator[None]:
    """Serves the aliases inside a `with` block; leaves those alone that were installed before it.

    Raises:
        ImportError: as `install`.
    """
    new = [alias for alias in aliases if alias not in sys.meta_path]
    install(new)
    try:
        yield
    finally:
        uninstall(new)
