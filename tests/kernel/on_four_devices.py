"""Run by test_sharding.py: everything on four CPU devices in one process, with one verdict for each part."""

import json
import traceback

from tests.kernel import explicit_mesh, sharded

# The last sets the mesh as the context of whatever follows it.
PARTS = {
    "sharded": sharded.main,
    "step by step": explicit_mesh.step_by_step,
    "explicit": lambda: explicit_mesh.main(in_context=False),
    "explicit in a context": lambda: explicit_mesh.main(in_context=True),
}


def verdict(part):
    try:
        part()
    except Exception:
        return traceback.format_exc()
    return "ok"


if __name__ == "__main__":
    print(json.dumps({name: verdict(part) for name, part in PARTS.items()}))
