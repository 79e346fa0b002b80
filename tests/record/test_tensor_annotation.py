"""What `tensor[...]` says, which parameters are mutable, and the comparison of a shape with an annotation."""

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.record import tensor_annotation as nt
from jnki.record.tensor_annotation import TensorAnnotation, check, is_mutable, mutable_tensor, tensor

N, M = 64, np.int64(32)


@dataclass
class Value:
    shape: Any


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (tensor[128, 512], TensorAnnotation((128, 512))),
        (tensor[N, M], TensorAnnotation((64, 32))),
        (tensor[64], TensorAnnotation((64,))),
        (tensor[[8, 4], np.float32], TensorAnnotation((8, 4), np.float32)),
        (tensor[(8, 4), "bfloat16"], TensorAnnotation((8, 4), "bfloat16")),
        (tensor[[8, 4]], TensorAnnotation((8, 4))),
        (tensor[()], TensorAnnotation(())),
        (tensor["P", 512], TensorAnnotation(None)),
        (tensor[nt.mutable], TensorAnnotation(None, mutable=True)),
        (mutable_tensor[8, 4], TensorAnnotation((8, 4), mutable=True)),
        (mutable_tensor[[8, 4], np.int32], TensorAnnotation((8, 4), np.int32, mutable=True)),
    ],
)
def test_a_subscription_says_shape_type_and_mutability(annotation, expected):
    assert annotation == expected
    assert hash(annotation) == hash(expected)


@pytest.mark.parametrize("marker", [tensor, mutable_tensor])
def test_a_marker_has_no_instances(marker):
    with pytest.raises(TypeError, match=f"^{marker.__name__} is an annotation and has no instances"):
        marker((128, 512))


@pytest.mark.parametrize(
    "annotation",
    [
        mutable_tensor,
        mutable_tensor[128, 512],
        tensor[nt.mutable],
        mutable_tensor | None,
        Optional[mutable_tensor],  # noqa: UP045
        "mutable_tensor",
        "nt.mutable_tensor",
        "nt.mutable_tensor[N, 512]",
        "nki.typing.mutable_tensor | None",
        "nt.tensor[nt.mutable]",
    ],
)
def test_annotations_of_parameters_that_a_kernel_may_write(annotation):
    assert is_mutable(annotation)


@pytest.mark.parametrize(
    "annotation",
    [
        tensor,
        tensor[128, 512],
        tensor | None,
        int,
        None,
        np.ndarray,
        "tensor",
        "nt.tensor[128, 512]",
        "immutable_tensor",
        "'mutable_tensor'",
        "not an annotation",
    ],
)
def test_annotations_of_parameters_that_a_kernel_may_only_read(annotation):
    assert not is_mutable(annotation)


@pytest.mark.parametrize("shape", [(128, 512), [128, 512], (np.int32(128), 512)])
def test_a_value_of_the_annotated_shape_passes(shape):
    check("x", Value(shape), tensor[128, 512])


@pytest.mark.parametrize("shape", [(128, 511), (512, 128), (128,), (128, 512, 1), ()])
def test_a_value_of_another_shape_is_refused(shape):
    with pytest.raises(RuleError) as caught:
        check("x", Value(shape), tensor[128, 512])
    assert caught.value.rule == "err_annotation_shape_mismatch"
    assert str(caught.value).startswith(
        "err_annotation_shape_mismatch: the value assigned to `x` is not of the annotated shape\n"
        f"  given:   `x` of shape {list(shape)}\n"
        "  allowed: shape [128, 512]\n"
    )


@pytest.mark.parametrize("value", [None, 3, (1, 2), Value(None), Value("ab"), Value(("n", 2)), Value(lambda: (1,))])
def test_what_has_no_shape_of_integers_is_no_tensor(value):
    check("x", value, tensor[128, 512])


@pytest.mark.parametrize("annotation", [tensor, tensor["P", 512], tensor[nt.mutable], int, None, "tensor[1]"])
def test_what_states_no_shape_allows_every_shape(annotation):
    check("x", Value((1, 2)), annotation)
