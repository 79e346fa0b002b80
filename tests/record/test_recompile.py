"""A recompiled function is the original with another body."""

import ast
import functools
import inspect

import pytest

from jnki.record.recompile import definition_of, recompile


def everything(a, b=2, /, c=3, *rest, d: "int" = 4, **named):
    """A bit of each kind of statement."""
    total = [x + y for x in rest for y in (b, c, d)]
    with pytest.MonkeyPatch.context() as patch:
        try:
            total.append(a / len(named))
        except ZeroDivisionError as error:
            total.append(str(error))

    def inner(z=a):
        nonlocal total
        total = [*total, z, patch]
        return lambda: total

    return inner()()[:-1]


def named_as_the_global_it_calls(depth):
    return "bottom" if depth == 0 else named_as_the_global_it_calls(depth - 1)


def again(function, **extra):
    return recompile(function, definition_of(function), extra)


def test_the_unchanged_syntax_gives_the_same_names_constants_and_places():
    new, old = again(everything).__code__, everything.__code__
    for attribute in (
        "co_names",
        "co_varnames",
        "co_cellvars",
        "co_qualname",
        "co_firstlineno",
        "co_filename",
    ):
        assert getattr(new, attribute) == getattr(old, attribute), attribute
    assert {line for _, _, line in new.co_lines()} == {line for _, _, line in old.co_lines()}


def test_the_unchanged_syntax_computes_the_same():
    for arguments in [(1,), (1, 5), (1, 5, 6, 7, 8)]:
        assert again(everything)(*arguments) == everything(*arguments)
        assert again(everything)(*arguments, d=9, e=10) == everything(*arguments, d=9, e=10)


def test_a_function_that_names_itself_reaches_the_global_of_that_name(monkeypatch):
    copy = again(named_as_the_global_it_calls)
    assert copy(2) == "bottom"
    monkeypatch.setitem(globals(), "named_as_the_global_it_calls", lambda depth: f"patched {depth}")
    assert copy(2) == "patched 1"


def test_an_extra_name_is_seen_by_the_body_alone():
    def function():
        return len("abc")

    copy = again(function, len=lambda text: f"the length of {text}")
    assert copy() == "the length of abc"
    assert "len" not in copy.__globals__


def test_a_changed_body_runs_in_place_of_the_original():
    def function(x):
        return x

    definition = definition_of(function)
    definition.body = ast.parse("return [x, x]").body
    assert recompile(function, definition, {})(1) == [1, 1]
    assert function(1) == 1


def test_attributes_are_those_of_the_original_also_where_it_wraps():
    @functools.wraps(everything)
    def wrapper(*args):
        return everything(*args)

    wrapper.mark = 1
    assert vars(again(wrapper)) == {"__wrapped__": everything, "mark": 1}
    assert again(everything).__kwdefaults__ is everything.__kwdefaults__
    assert inspect.signature(again(everything)) == inspect.signature(everything)


def test_a_lambda_has_no_definition():
    assert definition_of(lambda: 1) is None


SOURCE = "def kernel(value):\n    x = value.shape\n    return x\n"


@pytest.mark.parametrize(
    "new",
    [
        "# a line more\n" + SOURCE,
        SOURCE.replace("return x", "return other(x)"),
        SOURCE.replace("(value)", "(value, *x)"),
        SOURCE.replace("(value)", "(value, x)"),
        SOURCE.replace("return x", "return x +"),
        SOURCE.replace("return x", "nonlocal y"),
        SOURCE.replace("def kernel", "def other"),
        SOURCE.replace("def kernel", "async def kernel"),
        "",
    ],
    ids=[
        "moved",
        "other names",
        "other parameters",
        "more parameters",
        "no syntax",
        "no scope",
        "other name",
        "other kind",
        "emptied",
    ],
)
def test_a_file_that_has_changed_is_not_taken_for_the_source(new, tmp_path):
    path = tmp_path / "kernels.py"
    path.write_text(SOURCE)
    namespace = {}
    exec(compile(SOURCE, str(path), "exec", dont_inherit=True), namespace)
    assert again(namespace["kernel"]) is not None
    path.write_text(new)
    assert definition_of(namespace["kernel"]) is None


@pytest.mark.parametrize(
    "old, new",
    [("2 *", "3 *"), ("2 *", "2.0 *"), ("+ 1", "- 1"), ("x + 1", "1 + x"), ("if x:", "if not x:"), ("y = 1", "y = 4")],
)
def test_a_file_with_the_same_names_and_other_meaning_is_not_taken_for_the_source(old, new, tmp_path):
    source = "def kernel(x):\n def inner(x):\n  y = 1\n  return x + 1\n if x:\n  return 2 * inner(x)\n"
    path, namespace = tmp_path / "kernels.py", {}
    path.write_text(source)
    exec(compile(source, str(path), "exec", dont_inherit=True), namespace)
    assert definition_of(namespace["kernel"]) is not None
    assert old in source
    path.write_text(source.replace(old, new))
    assert definition_of(namespace["kernel"]) is None
