from jnki.neuronxcc.nki import *
from jnki.neuronxcc.nki import isa as isa
from jnki.neuronxcc.nki import language as language
from jnki.neuronxcc.nki import typing as typing
