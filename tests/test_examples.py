"""Every script in examples/ runs to its end, with a warning as an error; what they claim they assert themselves."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def uses_the_dialect(script):
    return "import neuronxcc" in script.read_text()


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_example(script):
    runner = ["-m", "jnki"] if uses_the_dialect(script) else []
    command = [sys.executable, "-W", "error", *runner, str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{script.stem}: ok"
    assert done.stderr == ""


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_the_docstring_says_how_to_run_it(script):
    runner = "python -m jnki" if uses_the_dialect(script) else "python"
    assert f"\nRun with: {runner} examples/{script.name}\n" in script.read_text()
