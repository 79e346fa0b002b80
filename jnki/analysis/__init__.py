"""Reads programs and runs nothing: dependencies between iterations, what fits on chip, what DMAs get,
and where two cores race."""

from jnki.analysis.capacity import check_capacity
from jnki.analysis.dependencies import check_dependencies
from jnki.analysis.dma_report import dma_report
from jnki.analysis.races import Race, races

__all__ = ["Race", "check_capacity", "check_dependencies", "dma_report", "races"]
