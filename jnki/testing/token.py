"""The text that names one case: seed, number, and what its arguments are drawn from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Token:
    """`seed:case:domains`."""

    seed: int
    case: int
    domains: str

    def __str__(self) -> str:
        return f"{self.seed}:{self.case}:{self.domains}"


def parsed(text: str) -> Token:
    """The parts of a token.

    Raises:
        ValueError: it is none.
    """
    parts = text.strip().split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts[:2]):
        raise ValueError(f"{text!r} is no token of a case; one reads seed:case:domains, as a report prints it")
    return Token(int(parts[0]), int(parts[1]), parts[2])
