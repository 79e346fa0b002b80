"""The generation of the target: `get_nc_version`."""

from jnki.nki.isa.enums import nc_version
from jnki.nki.platform import platform_target
from jnki.record.recorder import current, is_recording


def get_nc_version() -> nc_version:
    """The generation of the NeuronCore that the kernel is recorded for, or of the default target outside of kernels."""
    target = current("nisa.get_nc_version").target if is_recording() else platform_target()
    return nc_version(target.neuron_core_version)


def get_nc_sub_version() -> int:
    """The revision within a generation; 0, since no document tells of another one."""
    return 0
