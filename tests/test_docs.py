"""README.md and docs/: code runs, links lead somewhere, named files and rules exist, and the clause table is fresh."""

import functools
import importlib.util
import inspect
import pathlib
import re
import types

import pytest

import jnki
import jnki.serve
from tests.laws.cases import CASES

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SOURCES = [*(ROOT / "jnki").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def blocks(page, language):
    """The fenced blocks of a language, each behind as many empty lines as put it where it stands in its file."""
    text = page.read_text()
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield "\n" * text.count("\n", 0, found.start(1)) + found[1]


@each_page
def test_python_blocks_run_and_print_what_the_page_shows(page, capsys):
    module = types.ModuleType("page")
    with jnki.serve.serve():
        for block in blocks(page, "python"):
            exec(compile(block, str(page), "exec"), vars(module))
    printed = without_lines(capsys.readouterr().out)
    for shown in blocks(page, "text"):
        assert without_lines(shown.lstrip("\n")) in printed


def without_lines(listing):
    """A listing without the names and numbers of source lines, which depend on where the code stands."""
    return re.sub(r"(?m) +# [\w.]+:\d+|^  [\w.]+:\d+", " #", listing)


def test_there_are_blocks_to_run():
    assert sum(len(list(blocks(page, "python"))) for page in PAGES) >= 10


def test_a_block_keeps_its_line_numbers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nx = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(next(blocks(page, "python")), str(page), "exec"), {})
    assert caught.traceback[-1].lineno + 1 == 5


def links(page):
    """The files that a page links to, what looks like a link inside of code left out."""
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


@each_page
def test_links_lead_somewhere(page):
    assert [target for target in links(page) if not target.exists()] == []


@each_page
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:jnki|tests|docs|examples)/[\w/.-]+\.(?:py|md))`", page.read_text())
    # `foo` is the instruction of docs/add_an_instruction.md.
    assert [name for name in named if "foo" not in name and not (ROOT / name).exists()] == []


@each_page
def test_rules_that_are_named_exist(page):
    code = "".join(path.read_text() for path in SOURCES if path.is_relative_to(ROOT / "jnki"))
    instructions = "|".join(path.stem for path in (ROOT / "docs" / "isa").rglob("*.md"))
    named = re.findall(rf"`(err_\w+|(?:{instructions})\.(?!md\b|py\b)\w+)`", page.read_text())
    assert [name for name in named if not is_rule(name, code)] == []


def is_rule(name, code):
    """Whether the code has a rule of this name: in full, or put together from instruction, rule and argument."""
    instruction, _, rule = name.rpartition(".")
    start = rf'f"(?:{instruction}|{{[\w.]+}})\.'
    by_argument = re.search(rf'{start}{{\w+}}"', code) and f'"{rule}"' in code
    return f'"{name}"' in code or re.search(rf'{start}{rule}"', code) or by_argument


def test_every_instruction_is_on_the_functional_page():
    page = (ROOT / "docs" / "functional.md").read_text()
    instructions = [
        n
        for n in jnki.__all__
        if getattr(jnki, n).__module__.startswith("jnki.isa") and inspect.isfunction(getattr(jnki, n))
    ]
    assert len(instructions) > 3
    assert [name for name in instructions if f"`jnki.{name}" not in page] == []


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += links(page)
    assert set(PAGES) - reached == set()


# The table of clauses.


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate_clauses", ROOT / "docs" / "generate_clauses.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_clause_table_is_fresh(generator):
    page = generator.PAGE.read_text()
    assert generator.updated(page) == page, "run: python docs/generate_clauses.py"


def test_clauses_are_numbered_from_1_to_25():
    numbers = re.findall(
        r"^- \*\*C(\d+)\*\*", (ROOT / "docs" / "isa" / "dma" / "dma_copy.md").read_text(), re.MULTILINE
    )
    assert [int(n) for n in numbers] == list(range(1, 26))


def test_what_counts_as_a_citation(generator):
    # In pieces, so that this module cites nothing.
    text, names = (
        "(clause {}9), {}10 to {}12, T{}#3, AB{}1",
        "def test_{}03_limits, def test_rows_{}8_{}9, def test_d{}1",
    )
    assert list(generator.cited(text.replace("{}", "C"))) == [9, 10, 11, 12]
    assert list(generator.tested(names.replace("{}", "c"))) == [3, 8, 9]


def test_every_case_of_the_laws_is_on_the_page_of_derivatives():
    page = (ROOT / "docs" / "derivatives.md").read_text()
    missing = [case.name for case in CASES if f"| {case.name} |" not in page]
    assert missing == [], "python -m docs.generate_derivatives"


# The site.

SITE = ROOT / "docs" / "site" / "mkdocs.yml"


def test_every_page_is_in_the_navigation_of_the_site():
    navigation = re.findall(r"^ +- (?:[^:\n]+: )?([\w/]+\.md)$", SITE.read_text().split("\nnav:\n")[1], re.MULTILINE)
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert len(navigation) == len(set(navigation))
    assert set(navigation) == pages


@each_page
def test_anchors_of_links_are_headings(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text)
    wrong = [
        f"{file}#{anchor}"
        for file, anchor in targets
        if "://" not in file and anchor not in anchors((page.parent / file) if file else page)
    ]
    assert wrong == []


@functools.cache
def anchors(page):
    """What headings of a page are linked by, on GitHub and in the site."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def indexes():
    return importlib.import_module("docs.generate_indexes")


def test_the_index_of_instructions_is_fresh(indexes):
    assert indexes.instructions() == indexes.INSTRUCTIONS.read_text(), "run: python -m docs.generate_indexes"


def test_the_gallery_has_every_example_and_its_words(indexes):
    page = indexes.GALLERY.read_text()
    scripts = sorted((ROOT / "examples").glob("*.py"))
    outputs = {script.stem: indexes.shown(script.stem, page) for script in scripts}
    assert indexes.gallery(outputs) == page, "run: python -m docs.generate_indexes"


def test_the_charts_are_fresh():
    charts = importlib.import_module("docs.generate_charts")
    drawn = charts.pictures(charts.PAGE.read_text())
    assert {path: path.read_text() for path in drawn} == drawn, "run: python docs/generate_charts.py"


def test_every_public_module_is_in_the_api():
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    shown = re.findall(r"^::: (.*)$", pages, re.MULTILINE)
    dialects = ("jnki.nki", "jnki.neuronxcc.nki")
    spaces = {
        f"{name}.{space}"
        for name in dialects
        for space in importlib.import_module(name).__all__
        if inspect.ismodule(getattr(importlib.import_module(name), space))
    } - {"jnki.neuronxcc.nki.typing"}
    assert {"jnki", "jnki.testing", *dialects, *spaces} <= set(shown)


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://a.example/x.js"></script>', 1),
        ('<link rel="stylesheet" href="https://a.example/x.css">', 1),
        ('<link href="//a.example/x.css" rel="stylesheet"><img alt="" src="http://a.example/x.png">', 2),
        ('<script src="../assets/x.js"></script><link rel="stylesheet" href="assets/x.css"><img src="x.svg">', 0),
        ('<a href="https://a.example/">there</a><pre>&lt;script src="https://a.example/x.js"&gt;</pre>', 0),
    ],
)
def test_what_the_site_may_not_load(html, found):
    spec = importlib.util.spec_from_file_location("offline", SITE.parent / "offline.py")
    offline = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(offline)
    assert len(offline.loaded_from_elsewhere(html)) == found
