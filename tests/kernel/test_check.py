"""`kernel.check`: findings as values, printed, and raised on request."""

import jax
import jax.numpy as jnp
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.language as nl
from jnki import Finding, Findings, Severity

X = jax.ShapeDtypeStruct((256, 512), jnp.float32)


@nki.jit
def too_many_partitions(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x))
    return out


def test_a_rule_that_recording_breaks_is_the_one_finding():
    (finding,) = too_many_partitions.check(X)
    with pytest.raises(jnki.RuleError) as caught:
        too_many_partitions.trace(X)
    error = caught.value
    assert (finding.rule, finding.given, finding.allowed) == (error.rule, error.given, error.allowed)
    assert finding.severity is Severity.ERROR
    assert finding.location.function == "too_many_partitions"
    assert finding.message in str(error)


def findings():
    return Findings(
        [
            Finding(
                "dma.short", Severity.ADVICE, "a short run", given="4 bytes", allowed="512", iterations=(("i0", 3),)
            ),
            Finding("capacity.sbuf", Severity.WARNING, "too much"),
            Finding("capacity.psum", Severity.ERROR, "far too much", given="17 KiB"),
        ]
    )


def test_the_gravest_comes_first_in_the_report():
    assert str(findings()) == (
        "1 error, 1 warning, 1 advice\n"
        "error: capacity.psum: far too much\n  given:   17 KiB\n"
        "warning: capacity.sbuf: too much\n"
        "advice: dma.short: a short run\n  given:   4 bytes\n  allowed: 512\n  in       i0=3"
    )
    assert str(Findings()) == "nothing found"
    assert repr(findings()) == "<Findings: 1 error, 1 warning, 1 advice>"


def test_findings_are_found_by_rule_and_by_severity():
    assert [f.rule for f in findings().of("capacity")] == ["capacity.psum", "capacity.sbuf"]
    assert [f.rule for f in findings().of("capacity.sbuf")] == ["capacity.sbuf"]
    assert not findings().of("cap")
    assert [f.rule for f in findings().at_least(Severity.ERROR)] == ["capacity.psum"]


def test_the_gravest_is_raised_and_the_others_are_its_notes():
    with pytest.raises(jnki.RuleError, match=r"^capacity\.psum: far too much\n  given:   17 KiB") as caught:
        findings().raise_if_any()
    assert caught.value.__notes__ == ["warning: capacity.sbuf: too much"]
    findings().of("dma").raise_if_any()
    with pytest.raises(jnki.RuleError, match=r"^dma\.short"):
        findings().of("dma").raise_if_any(Severity.ADVICE)
