"""The choices of the current dialect."""

from functools import partial

from jnki.errors import raising
from jnki.kernel.dialect import Dialect
from jnki.nki.errors import NkiValidationError
from jnki.nki.language.tensor import NkiTensor
from jnki.nki.platform import platform_target

CURRENT = Dialect(
    "nki",
    NkiTensor,
    default_target=platform_target,
    writes_parameters=True,
    shares_outputs=True,
    numbers_programs=True,
    recording=partial(raising, NkiValidationError),
)
