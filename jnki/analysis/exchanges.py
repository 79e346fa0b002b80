"""Exchanges between devices where the devices may not come equally often: they would wait for each other for ever."""

from jnki.program.program import DeviceLoop, Loop, Node, instructions


def check_exchanges(nodes: tuple[Node, ...]) -> None:
    """No loop whose number of iterations is known at run time exchanges anything.

    Raises:
        RuleError: `collectives.device_loop`.
    """
    for node in nodes:
        match node:
            case DeviceLoop():
                for instruction in instructions(node.body):
                    if instruction.crosses_devices:
                        raise instruction.error(
                            "collectives.device_loop",
                            "each device may run the loop around this as often as it finds at run time",
                            given=f"a {node.head.kind} at {node.location.short() if node.location else 'some line'}",
                            allowed="a loop between integers",
                        )
            case Loop():
                check_exchanges(node.body)
