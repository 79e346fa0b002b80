"""Reads programs and runs nothing: dependencies between iterations, and what DMAs get."""

from jnki.analysis.dependencies import check_dependencies
from jnki.analysis.dma_report import dma_report

__all__ = ["check_dependencies", "dma_report"]
