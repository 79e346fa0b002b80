"""`neuronxcc.nki._private`: what no document describes. Few of its names mean anything here."""
