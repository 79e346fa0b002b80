"""`python -m tests.benchmarks [moves] [cases] [loops] [calls] [imports]`: tables of ratios, in markdown."""

import argparse

from tests.benchmarks import moves
from tests.benchmarks.timing import Effort


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subsets", nargs="*", default=["moves"])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", default="", help="moves: patterns whose name contains this")
    parser.add_argument("--size", choices=("small", "large", "both"), default="both")
    chosen = parser.parse_args()
    effort = Effort(rounds=chosen.rounds)
    sizes = {"small": (moves.SMALL,), "large": (moves.LARGE,), "both": (moves.SMALL, moves.LARGE)}[chosen.size]
    moves.run(effort, sizes, chosen.only)


if __name__ == "__main__":
    main()
