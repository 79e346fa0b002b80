"""The signal that a kernel needs the value of a loop index, not only its symbol."""

from jnki.access.affine import Symbol


class NeedsConcrete(BaseException):
    """Raised where Python asks a symbolic index for its value; the recorder unrolls the loop and starts over.

    It derives from `BaseException` so that an `except Exception` in a kernel does not swallow it.
    """

    def __init__(self, symbols: tuple[Symbol, ...]):
        self.symbols = symbols
        super().__init__("a loop index is needed as a concrete number: " + ", ".join(map(str, symbols)))
