"""What a test run asks of all checks: the pytest plugin fills it in."""

from dataclasses import dataclass, field

from jnki.testing.token import Token


@dataclass
class Options:
    """Defaults of a run.

    Attributes:
        cases: how many cases the fixture `jnki_cases` gives; None for what a test says.
        seed: the seed of checks that name none.
        case: the only case that is to run.
        matched: what ran because of it.
    """

    cases: int | None = None
    seed: int = 0
    case: Token | None = None
    matched: list[str] = field(default_factory=list)


_OPTIONS = Options()


def options() -> Options:
    """The options of this process."""
    return _OPTIONS
