"""The legacy dialect's root: under `python -m jnki` this package answers to the name `neuronxcc`."""
