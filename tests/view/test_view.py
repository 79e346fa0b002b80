"""The page: it needs nothing else, holds what it is given, and works in a browser where there is one."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jnki.nki as nki
from jnki.program.program import instructions

nl, nisa = nki.language, nki.isa

X = np.zeros((16, 8, 16), np.float32)


@nki.jit
def rows(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in range(x.shape[0]):
        tile = nl.ndarray(x.shape[1:], dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile, x[i])  # </script> is only text here: <b> & "quotes"
        nisa.dma_copy(out[i], tile)
    return out


def data_of(page):
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_the_page_needs_no_other_file():
    page = rows.view(X).html
    assert not re.search(r"""(src|href)\s*=\s*["']|@import|url\(|fetch\(|https?://""", page)
    assert page.count("<script") == page.count("</script>") == 2


def test_what_a_source_says_stays_text():
    page = rows.view(X).html
    source = next(iter(data_of(page)["source"].values()))
    assert any('</script> is only text here: <b> & "quotes"' in line for line in source.values())
    assert "<title>rows on trn3</title>" in page


def test_it_is_saved_and_shown_in_a_notebook(tmp_path):
    view = rows.view(X)
    path = view.save(tmp_path / "page.html")
    assert path.read_text(encoding="utf-8") == view.html
    shown = view._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;') and "<script" not in shown
    assert repr(view) == f"<View: a page of {len(view.html):,} characters; .save(path) writes it>"


def test_a_page_of_a_thousand_instructions_is_small():
    @nki.jit
    def long(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile, x)
        for i in range(1000):
            nisa.tensor_scalar(tile, tile, nl.add, float(i * i % 997))
        nisa.dma_copy(out, tile)
        return out

    x = X[0]
    assert sum(1 for _ in instructions(long.trace(x).body)) > 1000
    assert len(long.view(x).html) < 5_000_000


@pytest.mark.skipif(importlib.util.find_spec("PyQt6") is None, reason="needs a browser: PyQt6-WebEngine")
def test_in_a_browser(tmp_path):
    path = rows.view(X).save(tmp_path / "page.html")
    run = subprocess.run(
        [sys.executable, Path(__file__).with_name("browser.py"), path],
        env={
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "QTWEBENGINE_DISABLE_SANDBOX": "1",
            "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["errors"] == []
    assert found["changed"] and found["label"] == "r0 = 15"
    assert found["rows"] == 3
    assert found["opened_ms"] < 2000
