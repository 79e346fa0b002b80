"""Whether a register is asked for its truth by a plain `while register:`, as the source has it at that position."""

import ast
import dis
import linecache
from functools import lru_cache
from types import FrameType

# The lines where something begins and ends, and the columns.
Position = tuple[int | None, int | None, int | None, int | None]


def position_of(frame: FrameType) -> Position:
    """Where in its file that stands which a frame does now."""
    return list(frame.f_code.co_positions())[frame.f_lasti // 2]


def refusal(frame: FrameType) -> str:
    """Why the frame does not stand at the head of a plain `while register:`; empty where it does."""
    operation = dis.opname[frame.f_code.co_code[frame.f_lasti]]
    if "JUMP" not in operation and operation != "TO_BOOL":
        return "this is no while statement"
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    if not lines:
        return "its source is not to be found"
    statement = _whiles("".join(lines)).get(position_of(frame))
    if statement is None:
        return "this is no while statement whose condition is a register alone"
    if statement.orelse:
        return "its while statement has an else"
    return _leaves(statement.body, own=True)


@lru_cache(maxsize=64)
def _whiles(source: str) -> dict[Position, ast.While]:
    """The `while` statements whose condition is a name, an attribute or an item.

    Python says of a jump that depends on the condition that it stands where the condition does, or the statement.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found: dict[Position, ast.While] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.While) and isinstance(node.test, (ast.Name, ast.Attribute, ast.Subscript)):
            for place in (node, node.test):
                found[place.lineno, place.end_lineno, place.col_offset, place.end_col_offset] = node
    return found


def _leaves(statements: list[ast.stmt], own: bool) -> str:
    """What in these statements leaves the loop before its condition does.

    Args:
        own: whether a `break` here is one of this loop, and not of a loop inside of it.
    """
    for statement in statements:
        match statement:
            case ast.Break() if own:
                return "its while statement has a break"
            case ast.Return():
                return "its while statement has a return"
            case ast.For() | ast.AsyncFor() | ast.While():
                found = _leaves(statement.body, False) or _leaves(statement.orelse, own)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found = ""
            case _:
                found = _leaves(list(_inside(statement)), own)
        if found:
            return found
    return ""


def _inside(statement: ast.AST) -> list[ast.stmt]:
    """The statements in a statement that is no loop: of `if`, `with`, `try`, `match`."""
    found: list[ast.stmt] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            found += _inside(child)
    return found
