"""What happens on the way from a kernel to a result, for those who turn on `logging`.

    logging.basicConfig(level=logging.INFO)     # loggers "jnki.record" and "jnki.compile"

Nothing is printed unless it is asked for, but one warning: of a kernel that stays very long.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jnki.program.program import Node, instructions
from jnki.source import Location

RECORD = logging.getLogger("jnki.record")
COMPILE = logging.getLogger("jnki.compile")

# XLA takes long to compile more.
MANY = 1000


def log_recording(
    name: str, recorded: int, body: tuple[Node, ...], unrolled: tuple[str, ...], definition: Location | None
) -> None:
    """Tells how long a recording is, before and after its loops were looked for, and why loops in it were unrolled.

    Args:
        name: the kernel's, for messages.
        recorded: how many nodes there were outside of loops.
        body: what is left of them.
        unrolled: which loops were unrolled, and why.
    """
    if not RECORD.isEnabledFor(logging.WARNING):
        return
    number = sum(1 for _ in instructions(body))
    RECORD.info("%s: %d nodes recorded, %d after re-rolling, %d instructions", name, recorded, len(body), number)
    if number > MANY:
        at = f" at {definition.file}:{definition.line}" if definition is not None else ""
        cause = f"unrolled {'; '.join(unrolled)}" if unrolled else "its loops are Python's, and their iterations differ"
        RECORD.warning(
            "%s%s has %d instructions after its loops were looked for, and takes long to compile: %s",
            name,
            at,
            number,
            cause,
        )


@contextmanager
def timed(logger: logging.Logger, text: str) -> Iterator[None]:
    """Inside is what `text` says, and how long it takes is logged."""
    start = time.perf_counter()
    yield
    logger.info("%s: %.1f ms", text, 1e3 * (time.perf_counter() - start))
