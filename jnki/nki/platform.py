"""What a kernel of this dialect is checked against where nobody says."""

import os

from jnki.default_target import chosen_target, default_target
from jnki.target import TRN1, TRN2, TRN3, Target

ENVIRONMENT_VARIABLE = "NEURON_PLATFORM_TARGET_OVERRIDE"
_BY_NAME = {"trn1": TRN1, "inf2": TRN1, "gen2": TRN1, "trn2": TRN2, "gen3": TRN2, "trn3": TRN3, "gen4": TRN3}


def platform_target() -> Target:
    """What a kernel is checked against: `use_target`, else the vendor's environment variable, else jnki's, else trn3.

    Raises:
        ValueError: an environment variable names no target.
    """
    name = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen_target() is not None or not name:
        return default_target(TRN3)
    if name.lower() not in _BY_NAME:
        raise ValueError(f"{ENVIRONMENT_VARIABLE}: {name!r} is not a target\n  allowed: {', '.join(_BY_NAME)}")
    return _BY_NAME[name.lower()]
