"""What a broken rule raises in this dialect: `NkiValidationError`, which is an `AssertionError` as well."""

from jnki.errors import RuleError


class NkiValidationError(RuleError, AssertionError):
    """A kernel breaks a rule of NKI's documentation. `except AssertionError` catches it, as it does the vendor's."""
