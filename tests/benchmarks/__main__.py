"""`python -m tests.benchmarks [subset ...]`: ratios, in markdown.

Subsets: moves, cases, loops, calls, imports, kernels, dialects, checks.
"""

import argparse

from tests.benchmarks import calls, cases, checks, dialects, imports, kernels, loops, moves
from tests.benchmarks.timing import Effort

SIZES = {"small": (moves.SMALL,), "large": (moves.LARGE,), "both": (moves.SMALL, moves.LARGE)}


def main() -> None:
    subsets = {
        "moves": lambda: moves.run(effort, SIZES[chosen.size], chosen.only),
        "cases": lambda: cases.run(effort),
        "loops": lambda: loops.run(effort),
        "calls": lambda: calls.run(effort),
        "imports": lambda: imports.run(effort),
        "kernels": lambda: kernels.run(effort),
        "dialects": lambda: dialects.run(effort),
        "checks": lambda: checks.run(effort),
    }
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subsets", nargs="*", metavar="subset", help=f"{', '.join(subsets)}; all by default")
    parser.add_argument("--rounds", type=int, default=11, help="samples of each alternative")
    parser.add_argument("--only", default="", help="moves: patterns whose name contains this")
    parser.add_argument("--size", choices=SIZES, default="both", help="moves: which tensors")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.subsets if name not in subsets]
    if unknown:
        parser.error(f"no such subset: {', '.join(unknown)}; there are {', '.join(subsets)}")
    effort = Effort(rounds=chosen.rounds)
    for name in chosen.subsets or subsets:
        subsets[name]()


if __name__ == "__main__":
    main()
