"""How the descriptors of a DMA copy are generated: what decides whether a copy is legal, and no value (C21 to C24)."""

from collections.abc import Callable

from jnki.errors import RuleError
from jnki.isa.enums import dge_mode as DgeMode
from jnki.target import Target


def check_descriptor_generation(
    mode: DgeMode, *, indirect: bool, src: object, dst: object, target: Target, error: Callable[..., RuleError]
) -> None:
    """`mode` can serve a copy from elements of type `src` to type `dst` on `target`.

    Args:
        indirect: whether either side has an indirect index.
        error: makes the error of the instruction.

    Raises:
        RuleError: it cannot.
    """
    match mode:
        case DgeMode.hwdge:  # C21
            if target.neuron_core_version < 3:
                raise error(
                    "dma_copy.hwdge_target_legacy",
                    "hwdge is not available on this target",
                    given=f"{target.name} (NeuronCore-v{target.neuron_core_version})",
                    allowed="NeuronCore-v3 or newer",
                )
            if indirect:
                raise error(
                    "dma_copy.hwdge_no_indirect",
                    "hwdge cannot gather or scatter",
                    given="an indirect index",
                    allowed="dge_mode.swdge or dge_mode.unknown",
                )
            if src != dst:
                raise error(
                    "dma_copy.hwdge_dtype",
                    "hwdge does not cast",
                    given=f"src {src}, dst {dst}",
                    allowed="equal element types",
                )
        case DgeMode.none if indirect:  # C22
            raise error(
                "dma_copy.dge_none_static",
                "without descriptor generation, addresses must be known before execution",
                given="dge_mode.none with an indirect index",
                allowed="dge_mode.swdge or dge_mode.unknown",
            )
        case _:  # C23: swdge serves everything.
            pass


def choose_descriptor_generation(mode: DgeMode, *, indirect: bool, casts: bool, target: Target) -> tuple[DgeMode, str]:
    """What serves a copy that asks for `mode`, and why (C24)."""
    if mode is not DgeMode.unknown:
        return mode, "as requested"
    if indirect:
        return DgeMode.swdge, "indirect"
    if target.neuron_core_version >= 3 and not casts:
        return DgeMode.hwdge, f"direct, equal types, NeuronCore-v{target.neuron_core_version}"
    if target.neuron_core_version < 3:
        return DgeMode.none, f"direct, NeuronCore-v{target.neuron_core_version} has no hwdge"
    return DgeMode.none, "direct, with a cast"
