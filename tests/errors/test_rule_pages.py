"""docs/rules/: every rule of the code is there, with what breaks it now and what is said now."""

import json
import re
import subprocess
import sys

import pytest

from docs import generate_rules
from docs.generate_rules import FOLDER, ROOT, entries
from tests.errors import rule_names

PAGES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.md"))}
SHOWN = [broken for page in PAGES.values() for broken in entries(page)]
# Shrinks. A bound that only the recorder gives; findings about a parameter and an output, which have no line.
WITHOUT_EXAMPLE = [r"\w+\.most", "unused.parameter", "unwritten.output"]


def test_every_rule_of_the_code_is_there():
    assert generate_rules.without(broken.rule for broken in SHOWN) == WITHOUT_EXAMPLE


def test_nothing_else_is_there():
    rules = [broken.rule for broken in SHOWN]
    assert len(rules) == len(set(rules)) > 500
    assert [rule for rule in rules if not rule_names.is_rule(rule)] == []


def test_the_pages_are_what_the_generator_writes():
    """Up to what only running the tests tells."""
    assert generate_rules.pages({broken.rule: broken for broken in SHOWN}) == PAGES


def test_what_counts_as_a_rule():
    assert rule_names.is_rule("err_unsupported_memory") and rule_names.is_rule("tensor_copy.mask")
    assert rule_names.is_rule("capacity.sbuf_peak") and rule_names.is_rule("dma.overlap")
    assert not rule_names.is_rule("nowhere.mask") and not rule_names.is_rule("dma.mask")


def test_the_examples_are_fresh():
    """The tests that the pages name break these rules in this way, and are told so."""
    tests = sorted({broken.test for broken in SHOWN})
    command = [sys.executable, "-c", _COLLECT, *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = {tuple(each) for each in json.loads(done.stdout.splitlines()[-1])}
    stale = [each.rule for each in SHOWN if (each.rule, each.text, each.test, each.code) not in found]
    assert stale == [], "run: python -m docs.generate_rules"


_COLLECT = """
import dataclasses, json, sys
from docs.generate_rules import collected
found = collected(sys.argv[1:])
print()
print(json.dumps([dataclasses.astuple(each) for each in found]))
"""


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_what_differs_from_run_to_run(name):
    assert re.findall(r"0x[0-9a-f]{6,}|/home/|/tmp/", PAGES[name]) == []
