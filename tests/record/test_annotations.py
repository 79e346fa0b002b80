"""Annotated assignments in a function body: which are checked, and that nothing else of it changes."""

import functools
import inspect
import linecache
import traceback
from dataclasses import dataclass
from typing import Any

import pytest

from jnki.errors import RuleError
from jnki.record import annotations as nt
from jnki.record.annotations import check_annotations, mutable_tensor, tensor

SIZE = 512


@dataclass
class Value:
    shape: tuple[int, ...]


def refused(function, *args) -> RuleError:
    with pytest.raises(RuleError) as caught:
        check_annotations(function)(*args)
    assert caught.value.rule == "err_annotation_shape_mismatch"
    return caught.value


def test_a_matching_shape_passes_and_the_result_is_returned():
    def kernel(value):
        x: tensor[128, 512] = value
        return x, "done"

    value = Value((128, 512))
    checked = check_annotations(kernel)
    assert checked is not kernel
    assert checked(value) == (value, "done")


def test_a_mismatch_names_the_variable_both_shapes_and_the_line():
    def kernel(value):
        before = value
        x: tensor[128, SIZE] = before  # the annotated line
        return x

    error = refused(kernel, Value((128, 128)))
    line = kernel.__code__.co_firstlineno + 2
    assert str(error) == (
        "err_annotation_shape_mismatch: the value assigned to `x` is not of the annotated shape\n"
        "  given:   `x` of shape [128, 128]\n"
        "  allowed: shape [128, 512]\n"
        f"  at {__file__}:{line} in kernel\n"
        "     x: tensor[128, SIZE] = before  # the annotated line"
    )


def test_the_traceback_shows_the_line_of_the_user():
    def kernel(value):
        x: tensor[1, 1] = value  # this line
        return x

    frames = traceback.extract_tb(refused(kernel, Value((2, 2))).__traceback__)
    shown = [frame for frame in frames if frame.name == "kernel"]
    assert [(f.filename, f.line) for f in shown] == [(__file__, "x: tensor[1, 1] = value  # this line")]


def test_an_assignment_over_several_lines_and_a_text_between_keep_their_places():
    def kernel(value):
        text = """
  not indented as the body is
"""
        x: tensor[
            1,
            1,
        ] = value
        raise ValueError(text, x)  # line 8

    with pytest.raises(ValueError) as caught:
        check_annotations(kernel)(Value((1, 1)))
    assert caught.value.args[0] == "\n  not indented as the body is\n"
    assert caught.traceback[-1].lineno + 1 == kernel.__code__.co_firstlineno + 8
    error = refused(kernel, Value((2, 2)))
    assert error.location.line == kernel.__code__.co_firstlineno + 4


def by_two_parts(value):
    x: nt.tensor[128, 512] = value
    return x


def by_shape_and_type(value):
    x: nt.tensor[[128, 512], SIZE] = value
    return x


def by_mutable(value):
    x: mutable_tensor[128, 512] = value
    return x


def by_local_names(value):
    rows, columns = 128, 512
    x: tensor[rows, columns] = value
    return x


def by_argument(value, rows=128):
    x: tensor[rows, 512] = value
    return x


def by_local_import(value):
    from jnki.record.annotations import tensor as local

    x: local[128, 512] = value
    return x


def by_generator(value):
    x: tensor[[2 * n for n in (64, 256)]] = value
    return x


def by_later_definition(value):
    x: defined_later[128, 512] = value  # noqa: F821
    return x


def by_branch(value):
    for _ in range(1):
        if value:
            with pytest.MonkeyPatch.context():
                x: tensor[128, 512] = value
    return x


def by_inner_function(value):
    def inner():
        x: tensor[128, 512] = value
        return x

    return inner()


def by_private_names(value, /, *rest, factor=1, **named):
    x: tensor[128 * factor, 512] = value
    return x


@pytest.mark.parametrize(
    "kernel",
    [
        by_two_parts,
        by_shape_and_type,
        by_mutable,
        by_local_names,
        by_argument,
        by_local_import,
        by_generator,
        by_later_definition,
        by_branch,
        by_inner_function,
        by_private_names,
    ],
)
def test_every_form_of_annotation_is_checked(kernel, monkeypatch):
    checked = check_annotations(kernel)
    monkeypatch.setitem(globals(), "defined_later", tensor)
    assert checked(Value((128, 512))).shape == (128, 512)
    with pytest.raises(RuleError, match="`x` of shape \\[128, 511\\]"):
        checked(Value((128, 511)))


def without_annotation(value):
    x = [value]
    x[0] = value
    return x


def with_other_annotations(value):
    x: int = value
    y: list[int] = value
    z: tensor = value
    w: dict[fail(), 3] = value  # noqa: F821
    return x, y, z, w


def with_declaration(value):
    x: tensor[128, 512]
    x = value
    return x


def with_call(value):
    x: fail()[128] = value  # noqa: F821
    return x


def with_text(value):
    x: "tensor[128, 512]" = value  # noqa: UP037
    return x


def with_class(value):
    class Inside:
        x: tensor[128, 512] = value

    return Inside.x


def with_attribute(value):
    value.x: tensor[128, 512] = value
    return value.x


@pytest.mark.parametrize(
    "function",
    [
        without_annotation,
        with_other_annotations,
        with_declaration,
        with_call,
        with_text,
        with_class,
        with_attribute,
        lambda value: value,
        len,
        functools.partial(by_argument, rows=1),
        tensor,
        eval("lambda value: value"),
    ],
)
def test_where_there_is_nothing_to_check_the_function_itself_comes_back(function):
    assert check_annotations(function) is function


def test_an_annotation_that_is_no_tensor_is_not_evaluated():
    evaluated = []

    def kernel(value, marker):
        x: marker[evaluated.append("subscript")] = value
        return x

    checked = check_annotations(kernel)
    assert checked is not kernel, "what `marker` is shows only in the call"
    assert checked(1, list) == 1
    assert evaluated == []
    checked(1, tensor)
    assert evaluated == ["subscript"]


def test_an_annotation_that_cannot_be_evaluated_passes():
    def kernel(value):
        x: tensor[undefined, 512] = value  # noqa: F821
        y: tensor[1 // 0, 512] = value
        z: undefined[128] = value  # noqa: F821
        w: pytest.no_such_name[128] = value
        return x, y, z, w

    checked = check_annotations(kernel)
    assert checked is not kernel
    assert checked(Value((1,))) == (Value((1,)),) * 4


def test_the_closure_keeps_its_cells():
    rows, calls = 128, 0

    def kernel(value):
        nonlocal calls
        calls += 1
        x: tensor[rows, 512] = value
        return x

    checked = check_annotations(kernel)
    checked(Value((128, 512)))
    assert calls == 1
    rows = 64
    assert checked(Value((64, 512))).shape == (64, 512)
    cells = dict(zip(checked.__code__.co_freevars, checked.__closure__))
    original = dict(zip(kernel.__code__.co_freevars, kernel.__closure__))
    assert all(cells[name] is original[name] for name in ("rows", "calls"))


def test_a_name_of_the_closure_that_is_assigned_later_is_found():
    def kernel(value):
        x: later[128, 512] = value
        return x

    checked = check_annotations(kernel)
    later = tensor
    with pytest.raises(RuleError):
        checked(Value((1, 1)))
    assert later is tensor


def test_everything_else_of_the_function_is_kept():
    default = Value((1, 1))

    def kernel(a: mutable_tensor, b: tensor[1, 1] = default, *, c: Any = default) -> "Value":
        """What the kernel does."""
        x: tensor[1, 1] = b
        return a, x, c

    kernel.marked = "mark"
    checked = check_annotations(kernel)
    assert checked(1) == (1, default, default)
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__", "__kwdefaults__", "__defaults__"):
        assert getattr(checked, attribute) == getattr(kernel, attribute), attribute
    assert checked.__globals__ is kernel.__globals__
    assert checked.__annotations__ is kernel.__annotations__
    assert vars(checked) == {"marked": "mark"}
    assert inspect.signature(checked) == inspect.signature(kernel)
    assert inspect.getsource(checked) == inspect.getsource(kernel)
    for attribute in ("co_name", "co_qualname", "co_filename", "co_firstlineno"):
        assert getattr(checked.__code__, attribute) == getattr(kernel.__code__, attribute), attribute


def test_functions_inside_keep_their_qualified_names():
    def kernel(value):
        x: tensor[1, 1] = value

        def inner():
            return x

        return inner

    inner = check_annotations(kernel)(Value((1, 1)))
    assert inner.__qualname__ == kernel(Value((1, 1))).__qualname__
    assert inner.__qualname__.endswith("kernel.<locals>.inner")


def test_decorators_are_not_applied_again():
    applied = []

    def count(function):
        applied.append(function.__name__)
        return function

    @check_annotations
    @count
    @functools.partial(lambda _, function: function, lambda x: x)
    def kernel(value):
        x: tensor[128, 512] = value
        return x

    assert applied == ["kernel"]
    with pytest.raises(RuleError) as caught:
        kernel(Value((1, 1)))
    assert caught.value.location.text == "x: tensor[128, 512] = value"
    assert applied == ["kernel"]


def test_a_wrapper_is_not_replaced_by_what_it_wraps():
    def doubled(function):
        @functools.wraps(function)
        def wrapper(value):
            return function(value), function(value)

        return wrapper

    wrapped = doubled(by_two_parts)
    assert check_annotations(wrapped) is wrapped


def test_a_method_is_checked():
    class Kernels:
        def kernel(self, value):
            x: tensor[128, 512] = value
            return type(self), x

    checked = check_annotations(Kernels.kernel)
    assert checked(Kernels(), Value((128, 512)))[0] is Kernels
    refused(Kernels.kernel, Kernels(), Value((1, 1)))


def test_a_method_with_names_private_to_its_class_comes_back_unchecked():
    class Kernels:
        __private = 1

        def kernel(self, value):
            x: tensor[128, 512] = value
            return self.__private, x

    assert check_annotations(Kernels.kernel) is Kernels.kernel


def test_assertions_in_the_body_do_not_keep_it_from_being_checked():
    def kernel(value):
        assert isinstance(value, Value) and len(value.shape) == 2, f"of {value!r}"
        x: tensor[128, 512] = value
        return x

    refused(kernel, Value((1, 1)))


def test_checking_twice_adds_nothing():
    checked = check_annotations(by_two_parts)
    assert check_annotations(checked) is checked


def run(source: str, filename: str, **names: Any) -> dict[str, Any]:
    namespace = {"tensor": tensor, **names}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)
    return namespace


SOURCE = "def kernel(value):\n    x: tensor[128, 512] = value\n    return x\n"


def test_a_function_without_source_comes_back_unchecked():
    kernel = run(SOURCE, "<no source>")["kernel"]
    assert check_annotations(kernel) is kernel


def test_source_in_linecache_alone_is_enough(monkeypatch):
    monkeypatch.setitem(linecache.cache, "<cell>", (len(SOURCE), None, SOURCE.splitlines(True), "<cell>"))
    error = refused(run(SOURCE, "<cell>")["kernel"], Value((1, 1)))
    assert error.location.file == "<cell>"
    assert error.location.text == "x: tensor[128, 512] = value"


def test_a_file_that_has_changed_leaves_the_function_unchecked(tmp_path):
    path = tmp_path / "kernels.py"
    path.write_text(SOURCE)
    kernel = run(SOURCE, str(path))["kernel"]
    assert check_annotations(kernel) is not kernel
    path.write_text(SOURCE.replace("return x", "return other(x)"))
    assert check_annotations(kernel) is kernel


def test_annotations_that_are_texts_by_a_future_import_are_checked(tmp_path):
    source = "from __future__ import annotations\n" + SOURCE.replace("(value)", "(value: Undefined)")
    path = tmp_path / "kernels.py"
    path.write_text(source)
    kernel = run(source, str(path))["kernel"]
    checked = check_annotations(kernel)
    assert checked.__annotations__ == {"value": "Undefined"}
    refused(kernel, Value((1, 1)))


def test_tabs_and_comments_at_the_margin_are_read(tmp_path):
    source = "if True:\n\tdef kernel(value):\n# margin\n\t\tx: tensor[128, 512] = value\n\t\treturn x\n"
    path = tmp_path / "kernels.py"
    path.write_text(source)
    assert refused(run(source, str(path))["kernel"], Value((1, 1))).location.line == 4
