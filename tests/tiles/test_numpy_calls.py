"""NumPy's functions on a tile say which function of `nl` records them; NumPy's numbers beside a tile are numbers."""

import numpy as np
import pytest

from jnki.neuronxcc import nki

nl = nki.language
X = np.arange(12, dtype=np.float32).reshape(4, 3)


def run(body):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        nl.store(out, body(tile))
        return out

    return kernel(X)


@pytest.mark.parametrize(
    ("call", "name", "instead"),
    [
        (lambda t: np.exp(t), "np.exp", "nl.exp records it"),
        (lambda t: np.maximum(t, 0), "np.maximum", "nl.maximum records it"),
        (lambda t: np.absolute(t), "np.absolute", "nl.abs records it"),
        (lambda t: np.sum(t, axis=1), "np.sum", "nl.sum records it"),
        (lambda t: np.maximum.reduce(t), "np.maximum.reduce", "nl.max records it"),
        (lambda t: np.where(t, t, 0), "np.where", "nl.where records it"),
        (lambda t: np.linalg.norm(t), "np.norm", "use the functions of nl and nisa"),
        (lambda t: X + t, "np.add", "nl.add records it"),
        (lambda t: np.add(t, t), "np.add", "nl.add records it"),
    ],
)
def test_a_function_of_numpy_is_an_error_that_names_another(call, name, instead):
    with pytest.raises(TypeError) as error:
        run(call)
    first, second, *_ = str(error.value).splitlines()
    assert first == (
        f"{name} is called on tensor 'tile' [4, 3] float32 in sbuf, which has no values while its kernel is recorded: "
        + instead
    )
    assert second.startswith(f"  at {__file__}:")


def test_numbers_of_numpy_stand_for_tiles_on_either_side():
    pairs = [
        (lambda t: np.float32(2) - t, 2 - X),
        (lambda t: np.float32(2) + t, 2 + X),
        (lambda t: np.float32(3) * t, 3 * X),
        (lambda t: np.float32(6) / (t + 1), 6 / (X + 1)),
        (lambda t: np.float64(2) ** t, np.float32(2) ** X),
        (lambda t: np.float32(5) < t, X > 5),
        (lambda t: np.int32(5) <= t, X >= 5),
        (lambda t: np.float32(5) > t, X < 5),
        (lambda t: np.int32(5) >= t, X <= 5),
        (lambda t: np.float32(5) == t, X == 5),
        (lambda t: np.float32(5) != t, X != 5),
        (lambda t: t - np.float32(2), X - 2),
    ]

    @nki.jit
    def kernel(x):
        out = nl.ndarray((len(pairs), *x.shape), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        for number, (body, _) in enumerate(pairs):
            nl.store(out[number], body(tile))
        return out

    np.testing.assert_allclose(kernel(X), np.stack([wanted for _, wanted in pairs]), rtol=1e-6)
