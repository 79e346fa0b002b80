# For type checkers, `neuronxcc.nki` is what jnki serves under that name.
