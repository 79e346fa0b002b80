"""`neuronxcc.starfish`: the vendor's compiler, of which jnki has the helpers that tests of kernels import."""
