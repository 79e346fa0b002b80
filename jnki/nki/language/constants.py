"""Tensors of constants, and operators that are no functions."""

import os
from typing import Any

import numpy as np

from jnki.nki.language.dtypes import type_named, uint8
from jnki.tiles import constants
from jnki.tiles.moves import load
from jnki.tiles.tensor import as_tensor


class Operation:
    """An operator that only stands as the `op` of an instruction."""

    def __init__(self, name: str):
        self.nki_op = self.__name__ = name

    def __repr__(self) -> str:
        return f"nl.{self.nki_op}"

    def __reduce__(self) -> str:
        return self.nki_op


average = Operation("average")
prelu = Operation("prelu")
bypass = Operation("bypass")


def shared_constant(constant: Any) -> Any:
    """A tensor in HBM that holds this array.

    Args:
        constant: a NumPy array, or the path of an `.npy` file.
    """
    if isinstance(constant, (str, os.PathLike)):
        constant = np.load(constant, allow_pickle=False)
    return constants.shared_constant(constant)


def shared_identity_matrix(n: int, dtype: Any = uint8, dst: Any = None) -> Any:
    """The identity matrix `[n, n]` in SBUF: a new tile, or `dst`.

    Args:
        n: its size.
        dtype: its element type.
        dst: an SBUF tile to put it into; its type counts.
    """
    if dst is None:
        return load(constants.shared_identity_matrix(n, type_named(dtype)))
    to = as_tensor(dst, "shared_identity_matrix", "dst")
    to[0:n, 0:n] = constants.shared_identity_matrix(n, to.access.dtype)
    return to
