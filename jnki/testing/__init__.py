"""Property checks of kernels on batches of thousands of random cases, with chex; see docs/testing.md.

Names are loaded when they are first used: the pytest plugin is here too, and must not import JAX before a test suite
has chosen its settings.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jnki.testing.backward import BackwardFailure as BackwardFailure
    from jnki.testing.backward import check_backward as check_backward
    from jnki.testing.checking import Checked as Checked
    from jnki.testing.checking import check as check
    from jnki.testing.domains import bits as bits
    from jnki.testing.domains import booleans as booleans
    from jnki.testing.domains import choice as choice
    from jnki.testing.domains import constant as constant
    from jnki.testing.domains import floats as floats
    from jnki.testing.domains import integers as integers
    from jnki.testing.domains import like as like
    from jnki.testing.domains import rows as rows
    from jnki.testing.faults import assert_no_fault as assert_no_fault
    from jnki.testing.hazards import Spread as Spread
    from jnki.testing.hazards import spread as spread
    from jnki.testing.mutants import Mutant as Mutant
    from jnki.testing.mutants import power as power
    from jnki.testing.reference import numpy_reference as numpy_reference
    from jnki.testing.replaying import replay as replay
    from jnki.testing.report import CheckFailure as CheckFailure
    from jnki.testing.report import VacuousCheck as VacuousCheck
    from jnki.testing.transforms import TransformFailure as TransformFailure
    from jnki.testing.transforms import check_transforms as check_transforms
    from jnki.testing.variants import check_variants as check_variants

_HOME = {
    "Spread": "hazards",
    "spread": "hazards",
    "Mutant": "mutants",
    "power": "mutants",
    "assert_no_fault": "faults",
    "check_variants": "variants",
    "BackwardFailure": "backward",
    "check_backward": "backward",
    "TransformFailure": "transforms",
    "check_transforms": "transforms",
    "CheckFailure": "report",
    "Checked": "checking",
    "VacuousCheck": "report",
    "bits": "domains",
    "booleans": "domains",
    "check": "checking",
    "choice": "domains",
    "constant": "domains",
    "floats": "domains",
    "integers": "domains",
    "like": "domains",
    "numpy_reference": "reference",
    "replay": "replaying",
    "rows": "domains",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'jnki.testing' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"jnki.testing.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
