"""`tile[mask]`: an operand of a matmul, and of nothing else."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError


def refused(use):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((4, 4), nl.float32, buffer=nl.shared_hbm)
        tile = nl.load(x)
        use(tile[nl.arange(4)[None, :] < 3], tile, out)
        nl.store(out, tile)
        return out

    with pytest.raises(RuleError) as caught:
        kernel(np.ones((4, 4), np.float32))
    return caught.value


def test_it_has_the_shape_and_the_type_of_its_tile():
    seen = {}

    @nki.jit
    def kernel(x):
        out = nl.ndarray((4, 4), nl.float32, buffer=nl.shared_hbm)
        tile = nl.load(x)
        masked = tile[nl.arange(4)[None, :] < 3]
        seen.update(shape=masked.shape, dtype=masked.dtype, text=str(masked), unmasked=str(tile[True]))
        nl.store(out, nisa.nc_matmul(masked, tile))
        return out

    kernel(np.ones((4, 4), np.float32))
    assert seen["shape"] == (4, 4) and seen["dtype"] == np.float32
    assert seen["text"] == "tensor 'tile' [4, 4] float32 in sbuf where -1*d1 + 2 >= 0"
    assert seen["unmasked"].endswith("where always")


@pytest.mark.parametrize(
    "use",
    [
        lambda masked, tile, out: nl.copy(masked),
        lambda masked, tile, out: nl.store(out, masked),
        lambda masked, tile, out: nisa.tensor_copy(masked),
        lambda masked, tile, out: tile.__setitem__(masked, 0.0),
        lambda masked, tile, out: tile.__setitem__(nl.arange(4)[None, :] < 3, 0.0),
        lambda masked, tile, out: tile.__setitem__(..., masked),
    ],
)
def test_nothing_but_a_matmul_takes_it(use):
    error = refused(use)
    given = "where -1*d1 + 2 >= 0" in str(error) or "MaskedOperand" in str(error)
    assert given, str(error)


def test_its_message_says_what_to_do():
    assert str(refused(lambda masked, tile, out: masked.access)).split("\n  at ")[0] == (
        "operand_mask.use: only a matmul takes a masked operand, and tensor 'tile' is one\n"
        "  given:   tensor 'tile' [4, 4] float32 in sbuf where -1*d1 + 2 >= 0\n"
        "  allowed: nisa.nc_matmul, nl.matmul; mask=... on everything else"
    )


def test_a_mask_comes_after_the_indices():
    assert str(refused(lambda masked, tile, out: masked[0:2, :])).split("\n  at ")[0] == (
        "operand_mask.order: a mask on tensor 'tile' comes after its indices\n"
        "  given:   an index on tensor 'tile' [4, 4] float32 in sbuf where -1*d1 + 2 >= 0\n"
        "  allowed: tile[indices][mask]"
    )


def test_there_is_no_arithmetic_on_it():
    with pytest.raises(TypeError, match="unsupported operand"):
        refused(lambda masked, tile, out: masked + 1.0)
    assert "MaskedOperand" in str(refused(lambda masked, tile, out: tile + masked))
