"""What `jax.export` writes into a file for the two structures that a program may return."""

import json

from jax import export

from jnki.access.buffer import Space
from jnki.memory.device_memory import DeviceMemory
from jnki.memory.fault import Fault

Keys = tuple[tuple[Space, str], ...]


def register() -> None:
    """Programs with a `Fault` or a `DeviceMemory` among their arguments or results can be serialized."""
    export.register_pytree_node_serialization(
        Fault, serialized_name="jnki.Fault", serialize_auxdata=lambda _: b"", deserialize_auxdata=lambda _: ()
    )
    export.register_pytree_node_serialization(
        DeviceMemory, serialized_name="jnki.DeviceMemory", serialize_auxdata=_written, deserialize_auxdata=_read
    )


def _written(keys: Keys) -> bytes:
    return json.dumps([(space.value, name) for space, name in keys]).encode()


def _read(text: bytes) -> Keys:
    return tuple((Space(space), name) for space, name in json.loads(text))


register()
