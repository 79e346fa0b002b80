"""Reads programs and runs nothing: dependencies between iterations, what fits on chip, and what DMAs get."""

from jnki.analysis.capacity import check_capacity
from jnki.analysis.dependencies import check_dependencies
from jnki.analysis.dma_report import dma_report

__all__ = ["check_capacity", "check_dependencies", "dma_report"]
