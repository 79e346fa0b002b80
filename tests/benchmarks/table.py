"""Markdown tables that are printed row by row, so that a long run shows where it is."""

from collections.abc import Sequence


class Table:
    """A table of a fixed number of columns; its heading is printed when it is made."""

    def __init__(self, title: str, columns: Sequence[str]):
        print(f"\n### {title}\n", flush=True)
        self.row(*columns)
        self.row(*("---" for _ in columns))

    def row(self, *cells: object) -> None:
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def factor(value: float) -> str:
    return f"{value:.2f}"


def milliseconds(value: float) -> str:
    return f"{value:.3g} ms"
