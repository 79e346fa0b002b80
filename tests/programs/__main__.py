"""`python -m tests.programs [--count 1000] [--seed 0] [--reroll]`: random programs in every form.

It shows those that differ.

With `--reroll` even a short recording is made loops again wherever it can be.
"""

import argparse

from tests.programs.check import check


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.programs", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--reroll", action="store_true", help="make loops of all that repeats")
    chosen = parser.parse_args()
    wrong = 0
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        if (problem := check(seed, chosen.reroll)) is not None:
            wrong += 1
            print(problem, flush=True)
    print(f"{wrong} of {chosen.count} programs differ")


if __name__ == "__main__":
    main()
