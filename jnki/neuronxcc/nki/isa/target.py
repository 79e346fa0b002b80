"""`nisa.get_nc_version`."""

from jnki.default_target import default_target
from jnki.isa.enums import nc_version
from jnki.record.recorder import current, is_recording


def get_nc_version() -> nc_version:
    """Generation of the NeuronCore that the kernel is recorded for (of the default target outside of kernels)."""
    target = current("nisa.get_nc_version").target if is_recording() else default_target()
    return nc_version(target.neuron_core_version)
