"""`nki` in a process that a served program has spawned: it installs the aliases, and stands back."""

import importlib
import pathlib
import sys

try:
    serve = importlib.import_module("jnki.serve")
except ModuleNotFoundError:  # the parent found jnki in a folder that its program does not have on its path
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[3]))
    serve = importlib.import_module("jnki.serve")

del sys.modules[__name__]
serve.install()
sys.modules[__name__] = importlib.import_module("jnki.nki")
