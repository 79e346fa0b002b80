"""Writes the listings in `golden/` anew: `python -m tests.program.regenerate`, from the repository's root.

Read the difference before it is committed: it is what changed in how kernels are recorded.
"""

from pathlib import Path

from tests.program.golden_kernels import KERNELS, listing_of

FOLDER = Path(__file__).parent / "golden"


def main():
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name in KERNELS:
        (FOLDER / f"{name}.txt").write_text(listing_of(name))


if __name__ == "__main__":
    main()
