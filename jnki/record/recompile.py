"""A function compiled anew from changed syntax, which in all other respects is the original."""

import __future__

import ast
import functools
import inspect
import tokenize
from collections.abc import Iterator, Mapping
from types import CellType, CodeType, FunctionType

_ENCLOSING = "__jnki_enclosing__"
_COPY = "__jnki_copy__"


def definition_of(function: FunctionType) -> ast.FunctionDef | None:
    """The syntax of the function, at the positions that it has in its file; None if there is no source.

    None as well if that syntax does not compile to the very code of the function: its file has changed since.
    """
    code = function.__code__  # the code, because of a function `inspect` reads what it wraps
    try:
        lines, first_line = inspect.getsourcelines(code)
        # An indented body parses under an `if`. To dedent it would change the texts in triple quotes inside.
        header = ["if True:\n"] if lines[0][:1].isspace() else []
        tree = ast.parse("".join(header + lines))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return None
    ast.increment_lineno(tree, first_line - 1 - len(header))
    statement = tree.body[0]
    if isinstance(statement, ast.If):
        statement = statement.body[0]
    if not isinstance(statement, ast.FunctionDef):
        return None
    first = statement.decorator_list[0].lineno if statement.decorator_list else statement.lineno
    if (statement.name, first) != (code.co_name, code.co_firstlineno):
        return None
    compiled = _compile(statement, code, code.co_freevars)
    return statement if compiled is not None and _is_same(compiled, code) else None


def recompile(function: FunctionType, definition: ast.FunctionDef, extra: Mapping[str, object]) -> FunctionType | None:
    """A function with the body of `definition` in place of that of `function`.

    It has the globals, the closure cells, the defaults, the attributes and the file of `function`.

    Args:
        function: the original.
        definition: the changed syntax of it, from `definition_of`.
        extra: more names that the body can use, by value; they hide globals of the same name.

    Returns:
        The function, or None if `definition` is not the syntax of `function`: its file has changed since.
    """
    original = function.__code__
    cells = dict(zip(original.co_freevars, function.__closure__ or (), strict=True))
    cells |= {name: CellType(value) for name, value in extra.items()}
    code = _compile(definition, original, tuple(cells))
    if code is None or not _fits(code, original, frozenset(extra)):
        return None
    closure = tuple(cells[name] for name in code.co_freevars)
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(copy, function)
    vars(copy).clear()  # of `__wrapped__`: the copy stands in for the original, it does not wrap it
    vars(copy).update(vars(function))
    return copy


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """The code itself and every code object inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def _compile(definition: ast.FunctionDef, original: CodeType, enclosing: tuple[str, ...]) -> CodeType | None:
    # As parameters of an enclosing function, the names of the closure compile to free variables again. That
    # function is never called: its decorators, defaults and annotations are not evaluated a second time.
    module = ast.parse(f"def {_ENCLOSING}({', '.join(enclosing)}): pass")
    # Under its own name it would be a variable of that function, and hide a global that it refers to.
    anonymous = ast.copy_location(ast.FunctionDef(**{**vars(definition), "name": _COPY}), definition)
    module.body[0].body = [anonymous]  # type: ignore[attr-defined]
    flags = original.co_flags & __future__.annotations.compiler_flag
    try:
        compiled = compile(module, original.co_filename, "exec", flags=flags, dont_inherit=True)
    except SyntaxError:
        return None
    code = next(code for code in codes_in(compiled) if code.co_name == _COPY)
    return _renamed(code, code.co_qualname, original.co_qualname).replace(co_name=original.co_name)


def _fits(code: CodeType, original: CodeType, extra: frozenset[str]) -> bool:
    """Whether the syntax is that of `original`, as far as names tell.

    A subset is enough, because pytest adds names of its own where it rewrites an `assert`.
    """
    return _parameters(code) == _parameters(original) and _names(code) - extra <= _names(original)


def _is_same(code: CodeType, original: CodeType) -> bool:
    """Whether two codes do the same, wherever they stand.

    Where pytest has rewritten an `assert`, the instructions differ: then all constants must be there.
    """
    if any(name.startswith("@py") for name in _names(original)):
        return _fits(code, original, frozenset()) and _plain_constants(code) <= _plain_constants(original)
    if (code.co_code, _parameters(code)) != (original.co_code, _parameters(original)):
        return False
    if (code.co_names, code.co_freevars, code.co_cellvars) != (
        original.co_names,
        original.co_freevars,
        original.co_cellvars,
    ):
        return False
    inner = [[c for c in each.co_consts if isinstance(c, CodeType)] for each in (code, original)]
    return (
        _plain_constants(code) == _plain_constants(original)
        and len(inner[0]) == len(inner[1])
        and all(map(_is_same, *inner))
    )


def _plain_constants(code: CodeType) -> set[str]:
    """The constants but for code, as text: equal numbers of different types are different constants."""
    return {f"{type(c).__name__} {c!r}" for c in code.co_consts if not isinstance(c, CodeType)}


def _parameters(code: CodeType) -> tuple[object, ...]:
    varargs = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    total = code.co_argcount + code.co_kwonlyargcount + varargs.bit_count()
    return (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        varargs,
        code.co_varnames[:total],
    )


def _names(code: CodeType) -> set[str]:
    return {*code.co_names, *code.co_varnames, *code.co_cellvars, *code.co_freevars}


def _renamed(code: CodeType, old: str, new: str) -> CodeType:
    constants = tuple(_renamed(c, old, new) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_qualname=code.co_qualname.replace(old, new, 1))
