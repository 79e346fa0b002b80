"""Whose rules an instruction is checked by: those of the legacy dialect, or those of the current one.

Dialects give the same instruction the same meaning, but not the same limits. The rules of the functional interface are
the legacy ones where they differ, unless it is told otherwise.
"""

import enum


class RuleSet(enum.Enum):
    """The documents whose rules hold."""

    legacy = "legacy"
    current = "current"
