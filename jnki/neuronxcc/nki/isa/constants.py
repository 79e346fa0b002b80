"""`neuronxcc.nki.isa.constants`: the enumerations of `nki.isa`, where kernels import them from."""

from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode, reduce_cmd

__all__ = ["dge_mode", "engine", "nc_version", "oob_mode", "reduce_cmd"]
