"""Writes docs/rules/: each rule, what breaks it, and what is said then; all of it found by running the tests.

Run with: python -m docs.generate_rules

That takes some minutes. `tests/errors/test_rule_pages.py` says when it is needed, and runs only the tests that
the pages name.
"""

import pathlib
import re
import sys
from collections.abc import Iterable, Sequence

import pytest

from docs.generate_indexes import ENGINES
from tests.errors.collected import ROOT, Broken, Collector
from tests.errors.rule_names import FINDINGS, composed, is_rule, whole

FOLDER = pathlib.Path(__file__).resolve().parent / "rules"
# The other rooms break no rule that these do not, and take long.
ROOMS = "access analysis errors isa kernel memory neuronxcc nki record tiles lower watch"
# Where a rule of no instruction is told.
GROUPS = {
    "named": "Errors that NKI's documents name",
    "kernels": "Kernels, tensors and the language",
    "findings": "Findings",
    **ENGINES,
}
_ENTRY = re.compile(
    r"^## `(.+?)`\n\n```py\n(.*?)\n```\n\n```console\n(.*?)\n```\n\n`(tests/.+?)`\n", re.DOTALL | re.MULTILINE
)


def collected(tests: Sequence[str]) -> set[Broken]:
    """Which rules such tests break, files or single ones.

    Raises:
        RuntimeError: a test failed.
    """
    collector = Collector()
    # Assertions are plain, since jnki, whose plugin an installed pytest would rewrite, is imported already.
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "--assert=plain", f"--rootdir={ROOT}"]
    if pytest.main([*options, *(str(ROOT / test) for test in tests)], plugins=[collector]) != 0:
        raise RuntimeError("a test failed: what it breaks is not known")
    return collector.found


def chosen(found: Iterable[Broken]) -> dict[str, Broken]:
    """The example of each rule: a kernel rather than a call, a short one rather than a long one."""
    best: dict[str, Broken] = {}
    for broken in sorted(found, key=lambda broken: (_rank(broken.code), len(broken.code), broken)):
        if broken.code and is_rule(broken.rule):
            best.setdefault(broken.rule, broken)
    return dict(sorted(best.items()))


def _rank(code: str) -> int:
    in_kernel = re.search(r"\b(nl|nisa|ncc)\.", code)
    if "pytest" in code or "def test_" in code:
        return 5
    if code.startswith(("def ", "@")):
        return 0 if in_kernel else 4
    return 2 if code.startswith("memory = ") else 1 if in_kernel else 3


def group_of(rule: str) -> str:
    """On which page a rule stands."""
    subject = rule.split(".")[0]
    if rule.startswith("err_"):
        return "named"
    if subject in FINDINGS:
        return "findings"
    modules = [path for path in (ROOT / "jnki" / "isa").glob("*/*.py") if f"{subject}_".startswith(f"{path.stem}_")]
    longest = max(modules, key=lambda path: len(path.stem), default=None)
    return longest.parent.name if longest is not None else "kernels"


def entry(broken: Broken) -> str:
    return f"## `{broken.rule}`\n\n```py\n{broken.code}\n```\n\n```console\n{broken.text}\n```\n\n`{broken.test}`\n"


def entries(page: str) -> list[Broken]:
    """The examples that a page shows."""
    return [Broken(rule, text, test, code) for rule, code, text, test in _ENTRY.findall(page)]


def pages(rules: dict[str, Broken]) -> dict[str, str]:
    """The pages, by file name."""
    grouped = {group: [b for b in rules.values() if group_of(b.rule) == group] for group in GROUPS}
    made = {
        f"{group}.md": f"# {GROUPS[group]}\n\n" + "\n".join(map(entry, members)) for group, members in grouped.items()
    }
    links = [
        f"## [{GROUPS[group]}]({group}.md)\n\n"
        + ", ".join(f"[`{b.rule}`]({group}.md#{anchor(b.rule)})" for b in members)
        + "\n"
        for group, members in grouped.items()
    ]
    missing = ", ".join(f"`{name}`" for name in without(rules)) or "none"
    return made | {"README.md": _HEAD.format(len(rules), missing) + "\n".join(links)}


def without(rules: Iterable[str]) -> list[str]:
    """The rules of the code that are not among these."""
    known = set(rules)
    return sorted((whole() - known) | {p for p in composed() if not any(re.fullmatch(p, rule) for rule in known)})


def anchor(rule: str) -> str:
    """The anchor of a rule's heading, on GitHub and in the site."""
    return rule.replace(".", "").lower()


_HEAD = """# Every rule, and what breaks it

{} rules, each with something that breaks it and what is said then. A broken rule is a `jnki.RuleError` while a
kernel is recorded, or while an instruction is built from memory: it has `rule`, `message`, `given`, `allowed`
and the line, which is left out here. Findings are values instead ([findings.md](../findings.md)).

The examples are those of jnki's own tests, found by running them: `python -m docs.generate_rules`. Below each
one stands its test. What is not at hand there, such as `x` and `out`, are tensors of the kernel. The line that
breaks the rule is marked `# here`; `TINY` is a target of the tests with small limits; masks stand in angle
brackets, as they print; arrays are `zeros(shape, type)`, since what is in them does not matter. Without an
example: {}.

"""

if __name__ == "__main__":
    rooms = sys.argv[1:] or [f"tests/{room}" for room in ROOMS.split()]
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages(chosen(collected(rooms))).items():
        (FOLDER / name).write_text(text)
