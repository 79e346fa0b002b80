"""Writes the table of docs/derivatives.md: of each instruction and operand, what its derivative is.

Run with: python -m docs.generate_derivatives

It is measured, on the table of cases that the laws are tested with (`tests/laws/cases.py`): one operand's tangent at a
time, and whether any of it arrives.
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from tests.laws.cases import CASES, Case, arrays_of, memory_of

PAGE = pathlib.Path(__file__).resolve().parent / "derivatives.md"
BEGIN, END = "<!-- derivatives: begin -->\n", "<!-- derivatives: end -->\n"


def arrives(case: Case, operand: str) -> bool:
    """Whether a tangent of this operand changes what the instruction writes."""
    floats = {key: jnp.asarray(case.arrays[key]) for key in case.floats}

    def written(values: dict[str, jax.Array]) -> dict[str, jax.Array]:
        after = arrays_of(case.run(memory_of({**case.arrays, **values})))
        return {key: jnp.asarray(after[key]) for key in case.floats}

    tangents = {key: jnp.full_like(value, 1.0 if key == operand else 0.0) for key, value in floats.items()}
    _, found = jax.jvp(written, (floats,), (tangents,))
    places = {key: where for key, where in case.writes.items() if key in floats}
    return any(np.any(np.asarray(found[key], np.float32)[where] != 0) for key, where in places.items())


def kind(case: Case) -> str:
    if case.is_linear:
        return "exact: it moves or adds, and its derivative is compared bit for bit"
    if case.is_smooth:
        return "of the function, within rounding of finite differences"
    return "JAX's, one-sided at kinks; not compared with finite differences"


def table() -> str:
    lines = ["| case | operands with a derivative | floats without one | derivative |\n", "| --- | --- | --- | --- |\n"]
    for case in CASES:
        reached = {operand: arrives(case, operand) for operand in case.floats}
        some = ", ".join(f"`{o}`" for o, yes in reached.items() if yes)
        none = ", ".join(f"`{o}`" for o, yes in reached.items() if not yes)
        what = kind(case) if some else "zero"
        if case.bits:
            what = "an error for " + ", ".join(f"`{o}`" for o in case.bits)
        lines.append(f"| {case.name} | {some or 'none'} | {none} | {what} |\n")
    return "".join(lines)


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])
