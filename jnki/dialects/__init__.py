"""What the spellings of NKI share: public functions that say who they are, and functions that also name operators."""
