"""Writes docs/isa/README.md, the instructions by engine, and docs/gallery.md, the examples and what they print.

Run with: python -m docs.generate_indexes
"""

import ast
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ISA = ROOT / "docs" / "isa"
INSTRUCTIONS = ISA / "README.md"
GALLERY = ROOT / "docs" / "gallery.md"
ENGINES = {
    "dma": "DMA",
    "tensor": "Tensor Engine",
    "vector": "Vector Engine",
    "scalar": "Scalar Engine",
    "gpsimd": "GpSimd Engine",
    "registers": "Registers of all engines",
    "collectives": "Between devices",
}


def sentence(page: pathlib.Path) -> str:
    """The first sentence of a page's first paragraph, its links as plain text."""
    paragraph = page.read_text().split("\n\n")[1].replace("\n", " ")
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", paragraph)
    return re.split(r"(?<=\w)[.:](?= |$)|(?<=[`)])[.:](?= |$)", plain)[0] + "."


def instructions() -> str:
    """The page that has every instruction."""
    text = """# Instructions

One page for each, by the engine that runs it: what it computes, its operands, its rules, where NKI's documents
are silent, and its derivative. Signatures are in the API: [current dialect](../api/nki_isa.md), [legacy
dialect](../api/neuronxcc_isa.md), [without a kernel](../api/jnki.md).
"""
    for folder, engine in ENGINES.items():
        text += f"\n## {engine}\n\n| instruction | |\n| --- | --- |\n"
        for page in sorted((ISA / folder).glob("*.md")):
            text += f"| [{page.stem}]({folder}/{page.name}) | {sentence(page).replace('|', chr(92) + '|')} |\n"
    return text


def printed(scripts: list[pathlib.Path]) -> dict[str, str]:
    """What examples print, by name."""
    names = [str(script.relative_to(ROOT)) for script in scripts]
    command = [sys.executable, "-m", "tests.run_examples", *names]
    results = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert all(result["err"] == "" for result in results.values()), results
    return {pathlib.Path(name).stem: result["out"].replace(f"{ROOT}/", "") for name, result in results.items()}


def shown(stem: str, page: str) -> str | None:
    """What the gallery says that an example prints; None where the example is not there."""
    found = re.search(rf"^## {stem}\n.*?^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return found[1] if found else None


def gallery(outputs: dict[str, str]) -> str:
    """The page of examples that print these texts."""
    text = """# Gallery

Each example is a short script that asserts what it shows; the test suite runs all of them. What it prints stands
below it.
"""
    for stem, output in outputs.items():
        words = ast.get_docstring(ast.parse((ROOT / "examples" / f"{stem}.py").read_text())) or ""
        what, command = words.split("\n\nRun with: ")
        text += f"\n## {stem}\n\n{what}\n\n[examples/{stem}.py](../examples/{stem}.py), run with\n"
        text += f"`{command.splitlines()[0]}`, prints\n\n```console\n{output}```\n"
    return text


if __name__ == "__main__":
    INSTRUCTIONS.write_text(instructions())
    GALLERY.write_text(gallery(printed(sorted((ROOT / "examples").glob("*.py")))))
