"""Every script in examples/ runs to its end, with a warning as an error; what they claim they assert themselves."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from docs import generate_indexes

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def uses_the_dialect(script):
    return "import neuronxcc" in script.read_text()


def run(*words):
    command = [sys.executable, "-W", "error", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


def test_examples():
    """Those in the dialect, in one process."""
    scripts = [str(script) for script in EXAMPLES if uses_the_dialect(script)]
    results = json.loads(run("-m", "tests.run_examples", *scripts))
    assert list(results) == scripts
    for script, result in results.items():
        assert result["err"] == "", f"{script}\n{result['out']}{result['err']}"
        assert result["out"].splitlines()[-1] == f"{pathlib.Path(script).stem}: ok"
        assert without_numbers(result["out"]) == without_numbers(shown(script)), "run: python -m docs.generate_indexes"


def shown(script):
    """What the gallery says that an example prints."""
    return generate_indexes.shown(pathlib.Path(script).stem, generate_indexes.GALLERY.read_text())


def without_numbers(text):
    """What is printed, without what differs from one machine to another: where the files are, and the last digits."""
    return re.sub(r"[\d.,]*\d(e-?\d+)?", "#", text.replace(f"{ROOT}/", ""))


ALONE = [script for script in EXAMPLES if not uses_the_dialect(script) or script.stem == "copy_tensor"]


@pytest.mark.parametrize("script", ALONE, ids=lambda p: p.stem)
def test_example_in_a_process_of_its_own(script):
    """Those that plain Python runs, and one that needs `python -m jnki`."""
    runner = ["-m", "jnki"] if uses_the_dialect(script) else []
    assert run(*runner, str(script)).splitlines()[-1] == f"{script.stem}: ok"


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_the_docstring_says_how_to_run_it(script):
    runner = "python -m jnki" if uses_the_dialect(script) else "python"
    assert f"\nRun with: {runner} examples/{script.name}\n" in script.read_text()
