"""`nl.arange`, `nl.mgrid` and `nl.ds`, and the limits in `nl.tile_size`."""

import numpy as np
import pytest

from jnki.default_target import use_target
from jnki.errors import RuleError
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

X = np.arange(8 * 10, dtype=np.float32).reshape(8, 10)


def loaded(index):
    """What `x[index()]` names, from inside a kernel."""

    @nki.jit
    def kernel(x):
        tile = nl.load(index(x))
        out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
        nl.store(out, tile)
        return out

    return kernel(X)


def test_arange_with_stop_and_with_start_and_stop():
    np.testing.assert_array_equal(loaded(lambda x: x[nl.arange(3)[:, None], nl.arange(2, 6)[None, :]]), X[:3, 2:6])
    assert (nl.arange(5).shape, nl.arange(2, 5).shape, nl.arange(4, 4).shape) == ((5,), (3,), (0,))
    with pytest.raises(RuleError, match="arange.bounds"):
        nl.arange(5, 2)


def test_arange_may_start_at_a_loop_index():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(4):
            rows, f = nl.arange(2 * i, 2 * i + 2)[:, None], nl.arange(10)[None, :]
            nl.store(out[rows, f], nl.load(x[7 - rows, f]))
        return out

    np.testing.assert_array_equal(kernel(X), X[::-1])
    assert len(kernel.trace(X).body) == 1, "the loop stays symbolic"


@pytest.mark.parametrize(
    "key",
    [
        (slice(0, 3), slice(0, 4)),
        (slice(1, 5), slice(3, 4)),
        (slice(0, 8, 3), slice(1, 10, 4)),
        (slice(None, 2), slice(2, 9, 2)),
    ],
)
def test_mgrid_is_numpys_mgrid(key):
    found, expected = nl.mgrid[key], np.mgrid[tuple(slice(k.start or 0, k.stop, k.step) for k in key)]
    assert [index.shape for index in found] == [e.shape for e in expected]
    np.testing.assert_array_equal(loaded(lambda x: x[found[0], found[1]]), X[expected[0], expected[1]])
    p, f = found
    assert p is found.p and f is found.x


def test_mgrid_has_named_axes():
    grid = nl.mgrid[0:2, 0:3, 0:4, 0:5, 0:6]
    assert all(a is b for a, b in zip(grid, (grid.p, grid.x, grid.y, grid.z, grid.w), strict=True))
    (only,) = nl.mgrid[0:7]
    assert only.shape == (7,)
    with pytest.raises(IndexError):
        _ = nl.mgrid[0:7].x


def test_mgrid_may_move_with_a_loop_index():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(4):
            p, f = nl.mgrid[2 * i : 2 * i + 2, 0:10]
            nl.store(out[p, f], nl.load(x[7 - p, f]))
        return out

    np.testing.assert_array_equal(kernel(X), X[::-1])
    assert len(kernel.trace(X).body) == 1, "the loop stays symbolic"


def test_what_mgrid_does_not_take():
    with pytest.raises(TypeError, match="nl.mgrid takes slices with a stop"):
        nl.mgrid[0:, 0:3]
    with pytest.raises(TypeError, match="nl.mgrid takes slices with a stop"):
        nl.mgrid[3]
    with pytest.raises(RuleError, match="slice.bounds: nl.mgrid needs positive steps"):
        nl.mgrid[5:0:-1]


def test_ds_is_a_slice_of_known_size():
    np.testing.assert_array_equal(loaded(lambda x: x[nl.ds(2, 3), nl.ds(0, 10)]), X[2:5])
    np.testing.assert_array_equal(loaded(lambda x: x[nl.ds(start=6, size=2)]), X[6:])

    def both(x):
        for i in nl.affine_range(2):
            a, b = nl.load(x[nl.ds(4 * i, 4)]), nl.load(x[4 * i : 4 * i + 4])
            assert a.shape == b.shape == (4, 10)
        return x[nl.ds(0, 8)]

    np.testing.assert_array_equal(loaded(both), X)


def test_index_expressions_stay_affine():
    i, j = nl.arange(4)[:, None], nl.arange(3)[None, :]
    for expression in (i + 2 * j, 2 * (i + j) - 1, (i * 4 + j * 4) // 4, i * 3 - j + 6, i - (-j)):
        assert expression.shape == (4, 3)
    np.testing.assert_array_equal(
        loaded(lambda x: x[i + j, 9 - 2 * j - i]),
        X[np.add.outer(range(4), range(3)), 9 - np.add.outer(range(4), 2 * np.arange(3))],
    )


LIMITS = {
    "pmax": 128,
    "psum_fmax": 512,
    "gemm_stationary_fmax": 128,
    "gemm_moving_fmax": 512,
    "bn_stats_fmax": 512,
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("target", ["trn1", "trn2"])
def test_tile_sizes(name, target):
    with use_target(target):
        assert getattr(nl.tile_size, name) == LIMITS[name]

    @nki.jit(platform_target=target)
    def kernel(x):
        assert getattr(nl.tile_size, name) == LIMITS[name]
        return x

    kernel(X)


def test_the_size_of_sbuf_is_that_of_the_target():
    sizes = []
    for target in ("trn1", "trn2", "trn3"):
        with use_target(target):
            sizes.append(nl.tile_size.total_available_sbuf_size)
    assert sizes == sorted(sizes)
    assert 150_000 < sizes[0] < sizes[2] < 262_144
