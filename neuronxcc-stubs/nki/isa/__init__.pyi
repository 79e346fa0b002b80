from jnki.neuronxcc.nki.isa import *
