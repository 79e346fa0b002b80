"""Run by test_collectives.py: everything on four CPU devices in one process, with one verdict for each part."""

import json

from tests.isa.collectives import derivatives, moves, reductions, variable
from tests.kernel.on_four_devices import verdict

PARTS = {
    "moves": moves.main,
    "ranks": moves.ranks,
    "reductions": reductions.main,
    "rounding": reductions.rounding,
    "extremes": reductions.extremes,
    "variable": variable.main,
    "faults": variable.faults,
    "derivatives": derivatives.main,
    "derivatives of narrow floats": derivatives.narrow,
    "derivatives of chunks": derivatives.variable,
}

if __name__ == "__main__":
    print(json.dumps({name: verdict(part) for name, part in PARTS.items()}))
