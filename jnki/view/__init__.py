"""Pictures of a program: one page of HTML that needs nothing else."""

from jnki.view.view import View, view

__all__ = ["View", "view"]
