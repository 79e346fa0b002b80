"""Runs scripts one after the other in this process, as `python -m jnki` would, and reports each as JSON.

One start of Python and JAX serves all of them. Every script is a new `__main__`, with its own output.
"""

import contextlib
import io
import json
import sys
import traceback

from jnki.__main__ import main


def result_of(script: str) -> dict[str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([script])
        except SystemExit as exit_:
            if exit_.code not in (None, 0):
                traceback.print_exc()
        except BaseException:
            traceback.print_exc()
    return {"out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    json.dump({script: result_of(script) for script in sys.argv[1:]}, sys.stdout)
