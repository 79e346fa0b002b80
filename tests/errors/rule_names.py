"""The names of rules as they stand in the code: whole ones, and those put together from an instruction and an argument.

What takes a parameter `rule` raises under it. A name is a first argument there, or `err_...` anywhere.
"""

import ast
import functools
import re
from pathlib import Path

import jnki
from jnki import nki
from jnki.neuronxcc import nki as legacy

FINDINGS = ("capacity", "dma", "ordering", "unused", "unwritten")  # groups of rules that nothing is refused for
_PACKAGE = Path(jnki.__file__).parent


@functools.cache
def _trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text()) for path in sorted(_PACKAGE.rglob("*.py")))


@functools.cache
def raisers() -> frozenset[str]:
    """Functions whose first argument is a rule, and classes made of one."""
    found = {"RuleError", "NkiValidationError", "Finding"}
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args if argument.arg != "self"]
                if names[:1] == ["rule"] and not node.name.startswith("__"):
                    found.add(node.name)
    return frozenset(found)


def _first_arguments() -> list[ast.expr]:
    return [
        node.args[0]
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] in raisers()
    ]


@functools.cache
def whole() -> frozenset[str]:
    """Rules whose name stands in the code in full."""
    found = {c.value for a in _first_arguments() for c in ast.walk(a) if isinstance(c, ast.Constant)}
    found |= {word for word in _words() if word.startswith("err_")}
    return frozenset(name for name in found if isinstance(name, str) and re.fullmatch(r"err_\w+|\w+\.\w+", name))


@functools.cache
def composed() -> frozenset[str]:
    """Patterns of the rules that are put together: `{instruction.name}.mask` is `\\w+\\.mask`."""
    joined = [a for a in _first_arguments() if isinstance(a, ast.JoinedStr)]
    return frozenset(
        "".join(re.escape(v.value) if isinstance(v, ast.Constant) else r"\w+" for v in each.values) for each in joined
    )


@functools.cache
def _words() -> frozenset[str]:
    constants = (c.value for tree in _trees() for c in ast.walk(tree) if isinstance(c, ast.Constant))
    return frozenset(value for value in constants if isinstance(value, str))


def is_rule(name: str) -> bool:
    """Whether the code can raise under this name. What is put together is so only of names that the code has."""
    subject = name.split(".")[0]
    fits = [pattern for pattern in composed() if re.fullmatch(pattern, name)]
    if name in whole() or any(pattern.startswith(rf"{subject}\.") for pattern in fits):
        return True
    # What is composed of an instruction's name is a rule of instructions, not of what the analyses find.
    has_subject = subject in _words() or any(hasattr(space, subject) for space in _spaces())
    return bool(fits) and has_subject and len(subject) > 1 and subject not in FINDINGS


def _spaces() -> tuple[object, ...]:
    return jnki, nki.language, nki.isa, nki.collectives, legacy.language, legacy.isa
