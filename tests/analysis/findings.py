"""Asking for findings in tests."""

from jnki import Findings, Severity


def found(kernel, rule: str, *args) -> Findings:
    """The findings of a rule in a kernel that breaks none: else a twin would pass because it was not recorded."""
    findings = kernel.check(*args)
    findings.raise_if_any(Severity.ERROR)
    return findings.of(rule)
