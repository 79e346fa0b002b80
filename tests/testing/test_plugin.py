"""The pytest plugin, in suites of its own, and what importing it loads."""

import importlib.metadata
import subprocess
import sys

import pytest

from jnki import testing
from tests.testing.kernels import doubled, off_where_large

# Where jnki is installed pytest loads the plugin itself, and a second time is an error.
_IS_INSTALLED = any(e.value == "jnki.testing.plugin" for e in importlib.metadata.entry_points(group="pytest11"))
LOADED = [] if _IS_INSTALLED else ["-p", "jnki.testing.plugin"]

SUITE = """
from jnki import testing
from tests.testing.kernels import doubled, off_where_large


def test_it(jnki_cases):
    print("cases:", jnki_cases(3))
    testing.check(off_where_large, testing.floats((2, 3)), against=doubled, cases=jnki_cases(3), shrink=False)
"""


def run(folder, *options):
    (folder / "test_suite.py").write_text(SUITE)
    base = [
        sys.executable,
        "-m",
        "pytest",
        *LOADED,
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-s",
    ]
    done = subprocess.run([*base, str(folder), *options], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_cases_seed_and_case(tmp_path):
    code, text = run(tmp_path)
    assert code == 0 and "cases: 3" in text
    code, text = run(tmp_path, "--jnki-cases", "300", "--jnki-seed", "5")
    assert code == 1 and "of 300 cases are wrong (bit for bit, seed 5," in text
    with pytest.raises(testing.CheckFailure) as caught:
        testing.check(off_where_large, testing.floats((2, 3)), against=doubled, cases=300, seed=5, shrink=False)
    token = caught.value.token
    code, text = run(tmp_path, "--jnki-case", token)
    assert code == 1 and f"  case {caught.value.cases[0]}: output[0, 1]: expected" in text and token in text


def test_wrong_options(tmp_path):
    code, text = run(tmp_path, "--jnki-case", "nonsense")
    assert code == 4 and "'nonsense' is no token of a case" in text
    code, text = run(tmp_path, "--jnki-case", "0:1:abcd")
    assert code == 4 and "no check that ran draws from the domains of 0:1:abcd" in text


def test_neither_jnki_nor_the_plugin_imports_more_than_it_needs():
    code = (
        "import sys, jnki; assert not {'jax', 'chex', 'jnki.testing'} & set(sys.modules)\n"
        "import jnki.testing.plugin; assert not {'jax', 'chex', 'hypothesis'} & set(sys.modules)\n"
        "import jnki.neuronxcc.nki; assert 'chex' not in sys.modules and 'jnki.testing.checking' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
