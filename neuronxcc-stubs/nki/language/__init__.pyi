from jnki.neuronxcc.nki.language import *
