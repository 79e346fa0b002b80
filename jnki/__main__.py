"""Runs a Python program in which `neuronxcc` is jnki, as `python -m jnki`."""

import importlib
import importlib.metadata
import linecache
import os
import pkgutil
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Literal, NoReturn

from jnki import default_target, serve, user_traceback
from jnki.target import TARGETS, target

USAGE = """\
usage: python -m jnki [OPTIONS] SCRIPT [ARGS]
       python -m jnki [OPTIONS] -m MODULE [ARGS]
       python -m jnki [OPTIONS] -c CODE [ARGS]
       python -m jnki info
       python -m jnki --help | --version
"""

# What they do is in `jnki.asked`, which loads JAX: a plain run does not wait for it before the program starts.
ASKS = ("--listing", "--check", "--report")

HELP = f"""\
{USAGE}
Runs kernels written for AWS NKI without the Neuron SDK: inside the program, `import neuronxcc.nki` gives
jnki's own implementation, which runs on whatever JAX runs on. Everything else is as with plain `python`:
sys.argv, sys.path, __name__ and exit codes.

  python -m jnki kernel.py                 run a script
  python -m jnki -m pytest test_kernel.py  run a module, here a test suite
  python -m jnki -c "import neuronxcc.nki" run code
  python -m jnki info                      print versions, devices and targets (a script of that name: ./info)

options:
  --target NAME   the target of kernels that name none: {", ".join(known.name for known in TARGETS)};
                  without it, what the variable {default_target.ENVIRONMENT_VARIABLE} names, or else trn2
  --listing       print the program of each kernel that is called, on standard error
  --check         print what is found in each of them; status 1 where that is a warning or an error
  --report        print how full the memories are, what DMAs move, and a lower bound of the time
  --view FILE     write pictures of the first kernel to a page of HTML; of others to FILE_2 and so on
  --version       print jnki's version
  -h, --help      print this text

An exception that the program does not catch is printed with the program's own lines only; with
{user_traceback.FULL_TRACEBACK_VARIABLE}=1 in the environment, with all of them.
"""

_CODE_FILE = "<jnki -c>"  # not Python's "<string>", which every exec() without a file name shares


@dataclass(frozen=True)
class Command:
    """What one command line asks for.

    Attributes:
        kind: what to do.
        subject: the script, the name of the module, or the code.
        args: `sys.argv[1:]` of the program.
        target: the name behind `--target`, or None.
        asks: what to be told of each kernel.
        page: the file behind `--view`, or None.
    """

    kind: Literal["help", "version", "info", "script", "module", "code"]
    subject: str = ""
    args: tuple[str, ...] = ()
    target: str | None = None
    asks: tuple[str, ...] = ()
    page: str | None = None


def parse(argv: Sequence[str]) -> Command:
    """The command in `argv`; exits with status 2 and the usage where it is malformed.

    Options end at the program, so that its own arguments are never read here.
    """
    words = list(argv)
    chosen: str | None = None
    page: str | None = None
    asks: list[str] = []
    while words:
        word = words.pop(0)
        match word:
            case "-h" | "--help":
                return Command("help")
            case "--version":
                return Command("version")
            case "--target":
                chosen = _argument(words, "--target", "a name")
            case _ if word.startswith("--target="):
                chosen = word.removeprefix("--target=")
            case _ if word in ASKS:
                asks.append(word)
            case "--view":
                page = _argument(words, "--view", "a file")
            case "info" if not words and chosen is None and not asks and page is None:
                return Command("info")
            case "-m":
                return Command("module", _argument(words, "-m", "a module"), tuple(words), chosen, tuple(asks), page)
            case "-c":
                return Command("code", _argument(words, "-c", "code"), tuple(words), chosen, tuple(asks), page)
            case _ if word.startswith("-"):
                _usage_error(f"unknown option {word}")
            case _:
                return Command("script", word, tuple(words), chosen, tuple(asks), page)
    given = [*(["--target"] if chosen is not None else []), *asks, *(["--view"] if page is not None else [])]
    if given:
        _usage_error(f"{given[0]} needs a SCRIPT, -m MODULE or -c CODE to run")
    return Command("help")


def _argument(words: list[str], option: str, what: str) -> str:
    if not words:
        _usage_error(f"{option} needs {what}")
    return words.pop(0)


def _usage_error(message: str) -> NoReturn:
    print(f"{USAGE}python -m jnki: {message}", file=sys.stderr)
    sys.exit(2)


def main(argv: Sequence[str]) -> None:
    """Carries out one command line; the program's exception or `SystemExit`, if any, passes through."""
    command = parse(argv)
    if command.kind == "help":
        print(HELP, end="")
        return
    if command.kind == "version":
        print(f"jnki {_version()}")
        return
    if command.kind == "info":
        print(importlib.import_module("jnki.info").text(_version()))
        return
    if command.target is not None:
        _set_default_target(command.target)
    # For the rest of the process: exit handlers and threads of the program outlive this call.
    sys.excepthook = user_traceback.excepthook
    serve.install()
    # `multiprocessing` hands the path to the processes that it spawns. Behind the program's folder, before all others.
    sys.path.insert(0 if sys.flags.safe_path else 1, serve.PATH)
    if not command.asks and command.page is None:
        _run(command)
        return
    with importlib.import_module("jnki.asked").answering(command.asks, command.page):
        _run(command)


def _run(command: Command) -> None:
    match command.kind:
        case "script":
            _run_script(command.subject, command.args)
        case "module":
            _run_module(command.subject, command.args)
        case "code":
            _run_code(command.subject, command.args)


def _version() -> str:
    try:
        return importlib.metadata.version("jnki")
    except importlib.metadata.PackageNotFoundError:
        return f"(not installed, imported from {os.path.dirname(os.path.abspath(__file__))})"


def _set_default_target(name: str) -> None:
    try:
        os.environ[default_target.ENVIRONMENT_VARIABLE] = target(name).name
    except ValueError as error:
        _usage_error(f"--target: {error}")


def _run_script(script: str, args: Sequence[str]) -> None:
    sys.argv[:] = [script, *args]
    if pkgutil.get_importer(script) is not None:  # a folder or an archive that holds a `__main__.py`
        _drop_current_folder()
        with _no_traceback_without_user():
            runpy.run_path(script, run_name="__main__")
        return
    path = os.path.abspath(script)
    loader = SourceFileLoader("__main__", path)
    try:
        source = loader.get_data(path)
    except OSError as error:
        print(f"python -m jnki: can't open file {path!r}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    _replace_first_path(os.path.dirname(os.path.realpath(path)))
    # Not runpy.run_path: its `__file__` is relative, and `__main__` is gone before the exit handlers run.
    module = _new_main()
    vars(module).update(__file__=path, __cached__=None, __loader__=loader)
    exec(loader.source_to_code(source, path), vars(module))


def _run_module(name: str, args: Sequence[str]) -> None:
    sys.argv[:] = ["-m", *args]
    with _no_traceback_without_user():
        runpy.run_module(name, run_name="__main__", alter_sys=True)


@contextmanager
def _no_traceback_without_user() -> Iterator[None]:
    """Turns runpy's own complaint, that there is nothing to run, into a message and status 1."""
    try:
        yield
    except ImportError as error:
        if user_traceback.has_user_frames(error):
            raise
        sys.exit(f"{sys.executable}: {error}")


def _run_code(source: str, args: Sequence[str]) -> None:
    sys.argv[:] = ["-c", *args]
    _replace_first_path("")
    # The None is a modification time: there is no file to compare with, and linecache keeps the entry.
    lines = [line + "\n" for line in source.splitlines()]
    linecache.cache[_CODE_FILE] = (len(source), None, lines, _CODE_FILE)
    code: CodeType = compile(source, _CODE_FILE, "exec", dont_inherit=True)
    exec(code, vars(_new_main()))


def _new_main() -> ModuleType:
    module = sys.modules["__main__"] = ModuleType("__main__")
    return module


def _replace_first_path(folder: str) -> None:
    if not sys.flags.safe_path:  # with python -P, nothing was put in front
        sys.path[0] = folder


def _drop_current_folder() -> None:
    if not sys.flags.safe_path:
        del sys.path[0]


if __name__ == "__main__":
    main(sys.argv[1:])
