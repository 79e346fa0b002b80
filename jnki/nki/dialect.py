"""The choices of the current dialect."""

from functools import partial

from jnki.dtypes import EVERY
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
    types=EVERY,
    recording=partial(raising, NkiValidationError),
)
