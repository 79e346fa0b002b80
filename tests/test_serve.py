"""The import hook, on a package made for the test: `vendor` is served by `server.vendor`."""

import importlib
import importlib.util
import inspect
import logging
import pickle
import sys
from pathlib import Path

import pytest

from jnki import serve
from jnki.serve import ALIASES, Alias

VENDOR = (Alias(prefix="vendor", served_by="server.vendor"),)


@pytest.fixture(autouse=True)
def packages(tmp_path, monkeypatch):
    """Makes `server.vendor` importable, and forgets it and `vendor` afterwards."""
    files = {
        "server/__init__.py": "",
        "server/vendor/__init__.py": "",
        "server/vendor/nki/__init__.py": "from .language import add\nloads = globals().get('loads', 0) + 1\n",
        "server/vendor/nki/language.py": "def add(a, b):\n    return a + b\n\nclass Tile:\n    pass\n",
        "server/vendor/late.py": "def relative():\n    from .nki import language\n    return language\n",
        "server/vendor/broken.py": "import nothing_of_this_name\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    meta_path = list(sys.meta_path)
    yield tmp_path
    assert sys.meta_path == meta_path, "a test left an alias installed"
    for name in [n for n in sys.modules if n.partition(".")[0] in ("vendor", "server")]:
        del sys.modules[name]


def installed_vendor(folder: Path) -> None:
    (folder / "vendor").mkdir()
    (folder / "vendor/__init__.py").write_text("real = True\n")
    (folder / "vendor/extra.py").write_text("")
    importlib.invalidate_caches()


def test_every_spelling_of_the_import_gives_the_serving_module():
    with serve.serve(VENDOR):
        import server.vendor.nki.language
        import vendor
        import vendor.nki.language as nl
        from vendor import nki
        from vendor.nki.language import Tile

    assert vendor is server.vendor
    assert nki is server.vendor.nki
    assert nl is server.vendor.nki.language
    assert Tile is server.vendor.nki.language.Tile


def test_both_names_stand_for_one_object_in_sys_modules():
    with serve.serve(VENDOR):
        importlib.import_module("vendor.nki.language")
        for name in ("vendor", "vendor.nki", "vendor.nki.language"):
            assert sys.modules[name] is sys.modules[f"server.{name}"]


def test_the_order_of_the_two_imports_does_not_matter():
    first = importlib.import_module("server.vendor.nki")
    with serve.serve(VENDOR):
        assert importlib.import_module("vendor.nki") is first
    assert first.loads == 1


def test_the_serving_module_keeps_its_own_name_and_spec():
    with serve.serve(VENDOR):
        module = importlib.import_module("vendor.nki")
        assert module.__name__ == module.__spec__.name == "server.vendor.nki"
        assert module.__package__ == module.__spec__.parent == "server.vendor.nki"
        assert module.__spec__.loader is module.__loader__
        assert not module.__spec__._initializing
        assert importlib.util.find_spec("server.vendor.nki") is module.__spec__


def test_reload_runs_the_serving_module_again_in_place():
    with serve.serve(VENDOR):
        module = importlib.import_module("vendor.nki")
        assert importlib.reload(module) is module
        assert module.loads == 2
        assert sys.modules["vendor.nki"] is sys.modules["server.vendor.nki"] is module


def test_relative_imports_inside_the_serving_package_work_after_aliasing():
    with serve.serve(VENDOR):
        late = importlib.import_module("vendor.late")
        assert late.relative() is sys.modules["server.vendor.nki.language"]


def test_inspect_reads_the_source_of_a_served_function():
    with serve.serve(VENDOR):
        language = importlib.import_module("vendor.nki.language")
        assert inspect.getsource(language.add).startswith("def add(a, b):")
        assert inspect.getmodule(language.add) is language


def test_what_is_pickled_while_served_loads_after_the_alias_is_gone():
    with serve.serve(VENDOR):
        language = importlib.import_module("vendor.nki.language")
        data = pickle.dumps((language.add, language.Tile))
    assert pickle.loads(data) == (language.add, language.Tile)


def test_a_module_that_the_server_lacks_is_named_with_the_package_that_lacks_it():
    with serve.serve(VENDOR), pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("vendor.nki.compiler")
    assert str(caught.value) == (
        "No module named 'vendor.nki.compiler': vendor is served by server.vendor, which does not provide it"
    )
    assert caught.value.name == "vendor.nki.compiler"


def test_a_missing_module_does_not_come_from_an_installed_package(packages):
    installed_vendor(packages)
    with serve.serve(VENDOR), pytest.raises(ModuleNotFoundError, match="does not provide it"):
        importlib.import_module("vendor.extra")


def test_an_error_inside_a_serving_module_is_not_mistaken_for_its_absence():
    with serve.serve(VENDOR), pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("vendor.broken")
    assert caught.value.name == "nothing_of_this_name"
    assert "vendor.broken" not in sys.modules


def test_names_that_only_begin_like_the_prefix_are_left_to_python():
    assert VENDOR[0].find_spec("vendors", None) is None
    assert VENDOR[0].find_spec("vendored.nki", None) is None


def test_find_spec_describes_the_served_module_without_importing_it():
    with serve.serve(VENDOR):
        spec = importlib.util.find_spec("vendor.nki")
        assert spec.name == "vendor.nki"
        assert spec.origin.endswith("nki/__init__.py")
        assert spec.submodule_search_locations is not None
        assert "server.vendor.nki" not in sys.modules


def test_afterwards_the_installed_package_is_imported_again(packages):
    installed_vendor(packages)
    with serve.serve(VENDOR):
        assert not hasattr(importlib.import_module("vendor"), "real")
    assert "vendor" not in sys.modules
    assert importlib.import_module("vendor").real


def test_a_package_that_is_imported_already_is_refused(packages):
    installed_vendor(packages)
    importlib.import_module("vendor")
    with pytest.raises(ImportError) as caught:
        serve.install(VENDOR)
    assert str(caught.value) == (
        f"vendor is imported already, from {packages}/vendor/__init__.py: "
        "jnki cannot serve vendor beside it. "
        "Call jnki.serve.install() before the first import of vendor, or run the script with `python -m jnki`"
    )


def test_an_installed_alias_stands_first_and_is_installed_once():
    serve.install(VENDOR)
    try:
        importlib.import_module("vendor.nki")
        serve.install(VENDOR)
        assert sys.meta_path[0] == VENDOR[0]
        assert sys.meta_path.count(VENDOR[0]) == 1
    finally:
        serve.uninstall(VENDOR)
    serve.uninstall(VENDOR)
    assert "vendor.nki" not in sys.modules
    assert "server.vendor.nki" in sys.modules


def test_a_block_inside_an_installed_alias_leaves_it_installed():
    with serve.serve(VENDOR):
        with serve.serve(VENDOR):
            module = importlib.import_module("vendor")
        assert importlib.import_module("vendor") is module
        assert VENDOR[0] in sys.meta_path


def test_a_block_that_fails_uninstalls():
    with pytest.raises(ZeroDivisionError), serve.serve(VENDOR):
        raise ZeroDivisionError
    assert VENDOR[0] not in sys.meta_path


def test_the_level_of_logging_that_the_vendors_package_adds():
    """Files of kernels say `logging.disable(logging.OFF)` behind their import of `neuronxcc`."""
    assert not hasattr(logging, "OFF")
    with serve.serve():
        assert logging.OFF > logging.CRITICAL
    assert not hasattr(logging, "OFF")
    logging.OFF = 70
    with serve.serve():
        pass
    assert logging.OFF == 70
    del logging.OFF


def test_jnki_serves_both_dialects():
    assert Alias("neuronxcc", "jnki.neuronxcc") in ALIASES
    assert Alias("nki", "jnki.nki") in ALIASES


def test_the_two_dialects_are_served_beside_each_other():
    with serve.serve():
        import neuronxcc.nki
        import nki

        assert nki.__name__ == "jnki.nki"
        assert neuronxcc.nki.__name__ == "jnki.neuronxcc.nki"
