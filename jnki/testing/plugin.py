"""The pytest plugin: how many cases, from which seed, or one case only.

    pytest --jnki-cases 100000     the fixture `jnki_cases` gives this number
    pytest --jnki-seed 7           checks that name no seed take this one
    pytest --jnki-case TOKEN       each check runs this case, where it is one of its own, and nothing else

The plugin is loaded before a test suite has chosen its settings, so it imports nothing that imports JAX.
"""

from collections.abc import Callable, Iterator

import pytest

from jnki.testing.options import options
from jnki.testing.token import parsed

DEFAULT_CASES = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jnki", "checks of kernels")
    group.addoption("--jnki-cases", type=int, default=None, metavar="N", help="what the fixture jnki_cases gives")
    group.addoption("--jnki-seed", type=int, default=0, metavar="SEED", help="the seed of checks that name none")
    group.addoption("--jnki-case", default=None, metavar="TOKEN", help="run this case only: seed:case:domains")


def pytest_configure(config: pytest.Config) -> None:
    cases, case = config.getoption("--jnki-cases"), config.getoption("--jnki-case")
    if cases is not None and cases < 1:
        raise pytest.UsageError(f"--jnki-cases {cases}: a check needs a case")
    try:
        token = None if case is None else parsed(case)
    except ValueError as error:
        raise pytest.UsageError(f"--jnki-case: {error}") from None
    asked = options()
    asked.cases, asked.seed, asked.case = cases, config.getoption("--jnki-seed"), token
    asked.matched.clear()


def pytest_unconfigure(config: pytest.Config) -> None:
    asked = options()
    asked.cases, asked.seed, asked.case = None, 0, None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A case that no check knows is an error: nothing was tested. Workers of xdist leave this to nobody."""
    asked = options()
    is_part = hasattr(session.config, "workerinput") or getattr(session.config.option, "numprocesses", None)
    if asked.case is not None and not asked.matched and not is_part and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"--jnki-case: no check that ran draws from the domains of {asked.case}", red=True)


@pytest.fixture
def jnki_cases() -> Iterator[Callable[[int], int]]:
    """`jnki_cases(n)`: how many cases to run: `n` unless --jnki-cases says otherwise."""

    def cases(usual: int = DEFAULT_CASES) -> int:
        asked = options().cases
        return usual if asked is None else asked

    yield cases
