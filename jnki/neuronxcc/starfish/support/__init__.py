"""`neuronxcc.starfish.support`: helpers that tests of kernels import."""
