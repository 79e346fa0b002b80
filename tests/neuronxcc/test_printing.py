"""`nl.device_print`: what appears on the standard output, and when."""

import re

import jax
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

X = np.array([[1.5, 2, 3], [4, 5, 6]], np.float32)


def printed(capfd, kernel, *arrays):
    """The lines that calling the kernel prints, blanks squeezed."""
    capfd.readouterr()
    jax.block_until_ready(kernel(*arrays))
    jax.effects_barrier()
    return re.sub(r"[ \n]+", " ", capfd.readouterr().out).strip()


def test_the_prefix_and_the_values(capfd):
    @nki.jit
    def kernel(x):
        tile = nl.load(x)
        nl.device_print("value of x:", tile)
        return x

    assert printed(capfd, kernel, X) == "value of x: [[1.5 2. 3. ] [4. 5. 6. ]]"
    assert printed(capfd, jax.jit(kernel), X) == "value of x: [[1.5 2. 3. ] [4. 5. 6. ]]"
    assert printed(capfd, lambda x: nki.simulate_kernel(kernel, x), X) == "value of x: [[1.5 2. 3. ] [4. 5. 6. ]]"


def test_parts_hbm_and_psum_print_too_and_braces_stay(capfd):
    @nki.jit
    def kernel(x):
        nl.device_print("{row}", x[1:2])
        nl.device_print("%s", nl.zeros((1, 2), nl.int32, buffer=nl.psum))
        return x

    assert sorted(printed(capfd, kernel, X).replace("]] ", "]]|").split("|")) == ["%s [[0 0]]", "{row} [[4. 5. 6.]]"]


def test_a_masked_element_prints_as_zero(capfd):
    @nki.jit
    def kernel(x):
        p, f = nl.arange(2)[:, None], nl.arange(3)[None, :]
        nl.device_print("masked", nl.load(x[p, f]), mask=f > 0)
        return x

    assert printed(capfd, kernel, X) == "masked [[0. 2. 3.] [0. 5. 6.]]"


@pytest.mark.parametrize("loop", [nl.affine_range, nl.sequential_range, nl.static_range])
def test_every_iteration_prints(capfd, loop):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in loop(2):
            tile = nl.load(x[i : i + 1])
            nl.device_print("row", tile)
            nl.store(out[i : i + 1], tile)
        return out

    assert sorted(printed(capfd, kernel, X).split("row ")[1:]) == ["[[1.5 2. 3. ]] ", "[[4. 5. 6.]]"]


def test_a_value_printed_is_a_tensor():
    @nki.jit
    def kernel(x):
        nl.device_print("number", 3)
        return x

    with pytest.raises(RuleError, match="operand 'x' of 'nl.device_print' must be a tensor of the kernel"):
        kernel(X)
