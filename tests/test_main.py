"""`python -m jnki`, in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jnki.serve
from jnki.__main__ import Command, parse

PACKAGE_ROOT = Path(jnki.serve.__file__).parents[1]


def python(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("JNKI_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env={**inherited, "PYTHONPATH": str(PACKAGE_ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def jnki_run(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return python("-W", "error", "-m", "jnki", *args, cwd=cwd, **environment)


def without_carets(text: str) -> str:
    """The traceback without the marks under its lines, which versions of Python place differently."""
    return "".join(line for line in text.splitlines(keepends=True) if line.strip(" ~^\n"))


SHOW = """\
import os, sys
print(sys.argv)
print(__name__, __package__, __spec__ and __spec__.name)
print(globals().get("__file__"))
print(os.path.realpath(sys.path[0] or "."), [p for p in sys.path[1:] if "site" not in p and "on_path" not in p])
print(sys.modules["__main__"].__dict__ is globals())
class Here: pass
import pickle; pickle.loads(pickle.dumps(Here))
"""


@pytest.mark.parametrize("spelling", ["script", "linked script", "module", "package", "folder", "code"])
def test_a_program_sees_what_plain_python_shows_it(tmp_path, spelling):
    for path in ("sub/show.py", "show.py", "package/__main__.py", "folder/__main__.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(SHOW)
    (tmp_path / "package/__init__.py").write_text("")
    (tmp_path / "link.py").symlink_to("sub/show.py")
    args = {
        "script": ["sub/show.py", "a", "--target", "-m"],
        "linked script": ["link.py"],
        "module": ["-m", "show", "a", "-c"],
        "package": ["-m", "package", "--help"],
        "folder": ["folder", "a"],
        "code": ["-c", SHOW, "a", "--version"],
    }[spelling]
    ours, plain = jnki_run(*args, cwd=tmp_path), python(*args, cwd=tmp_path)
    assert plain.returncode == ours.returncode == 0, ours.stderr
    assert ours.stdout == plain.stdout
    assert ours.stderr == ""


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.exit(7)", 7),
        ("raise SystemExit('stopped')", 1),
        ("raise SystemExit", 0),
        ("1 / 0", 1),
        ("import atexit, sys; atexit.register(lambda: print(sys.modules['__main__'].__name__))", 0),
    ],
)
def test_the_exit_status_and_output_are_those_of_plain_python(tmp_path, code, status):
    (tmp_path / "script.py").write_text(code)
    ours, plain = jnki_run("script.py", cwd=tmp_path), python("script.py", cwd=tmp_path)
    assert (ours.returncode, ours.stdout, ours.stderr) == (status, plain.stdout, plain.stderr)


def test_neuronxcc_is_served_by_jnki(tmp_path):
    (tmp_path / "neuronxcc").mkdir()
    (tmp_path / "neuronxcc/__init__.py").write_text("raise RuntimeError('the installed package was imported')")
    (tmp_path / "script.py").write_text(
        "import sys, neuronxcc.nki, jnki.neuronxcc.nki\n"
        "assert sys.modules['neuronxcc.nki'] is sys.modules['jnki.neuronxcc.nki']\n"
        "import neuronxcc.no_such_module\n"
    )
    result = jnki_run("script.py", cwd=tmp_path)
    assert result.returncode == 1
    assert without_carets(result.stderr) == (
        f"jnki: frames inside jnki and jax are left out (JNKI_FULL_TRACEBACK=1 shows them)\n"
        f"Traceback (most recent call last):\n"
        f'  File "{tmp_path}/script.py", line 3, in <module>\n'
        f"    import neuronxcc.no_such_module\n"
        f"ModuleNotFoundError: No module named 'neuronxcc.no_such_module': "
        f"neuronxcc is served by jnki.neuronxcc, which does not provide it\n"
    )


def test_pytest_runs_under_it_with_neuronxcc_served(tmp_path):
    (tmp_path / "test_kernels.py").write_text(
        "import neuronxcc, jnki.neuronxcc\n"
        "def test_served():\n    assert neuronxcc is jnki.neuronxcc\n"
        "def test_fails():\n    assert 1 == 2\n"
    )
    result = jnki_run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_kernels.py", cwd=tmp_path)
    assert result.returncode == 1
    assert "1 failed, 1 passed" in result.stdout


def test_no_jax_is_imported_for_a_program_that_does_not_ask_for_it(tmp_path):
    code = "import sys; print(sorted({'jax', 'numpy'} & set(sys.modules)))"
    assert jnki_run("-c", code, cwd=tmp_path).stdout == "[]\n"


BROKEN_KERNEL = """\
from jnki.errors import RuleError, not_modelled

def kernel():
    try:
        not_modelled_here()
    except NotImplementedError as error:
        error.add_note("a note")
        raise RuleError("some_rule", "is broken") from error

def not_modelled_here():
    raise not_modelled("this")

def caller():
    kernel()
caller()
"""


def test_a_rule_error_shows_the_lines_of_the_user_its_cause_and_its_notes(tmp_path):
    (tmp_path / "script.py").write_text(BROKEN_KERNEL)
    result = jnki_run("script.py", cwd=tmp_path)
    assert result.returncode == 1
    script = tmp_path / "script.py"
    lines = result.stderr.splitlines()
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{script}", line 5, in kernel',
        f'  File "{script}", line 11, in not_modelled_here',
        f'  File "{script}", line 15, in <module>',
        f'  File "{script}", line 14, in caller',
        f'  File "{script}", line 8, in kernel',
    ]
    assert "a note" in lines
    assert "The above exception was the direct cause of the following exception:" in lines
    assert "jnki.errors.RuleError: some_rule: is broken" in lines
    assert f"  at {script}:8 in kernel" in lines


def test_frames_inside_jnki_are_left_out_until_all_are_asked_for(tmp_path):
    code = "from jnki.target import target\ntarget(None)"
    short = jnki_run("-c", code, cwd=tmp_path)
    assert short.returncode == 1
    assert without_carets(short.stderr) == (
        "jnki: frames inside jnki and jax are left out (JNKI_FULL_TRACEBACK=1 shows them)\n"
        "Traceback (most recent call last):\n"
        '  File "<jnki -c>", line 2, in <module>\n'
        "    target(None)\n"
        "ValueError: None is not a target\n"
        "  allowed: trn1, inf2, trn2, trn3, or a Target\n"
    )
    full = jnki_run("-c", code, cwd=tmp_path, JNKI_FULL_TRACEBACK="1")
    assert full.returncode == 1
    assert "/jnki/target.py" in full.stderr
    assert "left out" not in full.stderr


def test_a_syntax_error_is_shown_as_plain_python_shows_it(tmp_path):
    (tmp_path / "script.py").write_text("x = 1\ny = = 2\n")
    ours, plain = jnki_run("script.py", cwd=tmp_path), python("script.py", cwd=tmp_path)
    assert (ours.returncode, ours.stderr) == (1, plain.stderr)


def test_code_on_the_command_line_has_a_source_that_can_be_read(tmp_path):
    code = "import inspect\ndef kernel():\n    return 1\nprint(inspect.getsource(kernel), end='')"
    assert jnki_run("-c", code, cwd=tmp_path).stdout == "def kernel():\n    return 1\n"


def test_a_script_that_is_not_there_is_an_error_of_status_2(tmp_path):
    result = jnki_run("nowhere.py", cwd=tmp_path)
    assert result.returncode == 2
    path = tmp_path / "nowhere.py"
    assert result.stderr == f"python -m jnki: can't open file '{path}': No such file or directory\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-m", "no_such_module"], "No module named no_such_module"),
        (["."], "can't find '__main__' module in '.'"),
    ],
)
def test_nothing_to_run_is_one_line_and_status_1(tmp_path, args, message):
    result = jnki_run(*args, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (1, f"{sys.executable}: {message}\n")


def test_an_import_error_inside_a_module_that_runs_keeps_its_traceback(tmp_path):
    (tmp_path / "module.py").write_text("import no_such_module\n")
    result = jnki_run("-m", "module", cwd=tmp_path)
    assert result.returncode == 1
    assert f'  File "{tmp_path}/module.py", line 1, in <module>\n' in result.stderr


def test_nothing_is_put_on_the_path_where_python_must_not(tmp_path):
    code = "import sys; print('' in sys.path, [p for p in sys.path if 'on_path' not in p][0])"
    expected = python("-P", "-c", code, cwd=tmp_path).stdout
    assert python("-P", "-m", "jnki", "-c", code, cwd=tmp_path).stdout == expected


def test_without_arguments_it_says_what_it_can_do(tmp_path):
    result = jnki_run(cwd=tmp_path)
    assert result.returncode == 0
    for word in ("SCRIPT", "-m MODULE", "-c CODE", "--target", "JNKI_FULL_TRACEBACK", "neuronxcc.nki"):
        assert word in result.stdout


def test_help_and_version(capsys):
    from jnki.__main__ import HELP, main

    main(["--help"])
    assert capsys.readouterr().out == HELP
    main(["--version"])
    assert capsys.readouterr().out.startswith("jnki ")


def test_the_target_is_the_default_of_the_program_its_threads_and_its_children(tmp_path):
    show = "from jnki.default_target import default_target; print(default_target(), flush=True)"
    code = (
        f"import subprocess, sys, threading\n{show}\n"
        "thread = threading.Thread(target=lambda: print(default_target(), flush=True))\n"
        "thread.start(); thread.join()\n"
        f"subprocess.run([sys.executable, '-c', {show!r}], check=True)"
    )
    assert jnki_run("--target", "TRN1", "-c", code, cwd=tmp_path).stdout == "trn1\n" * 3
    assert jnki_run("-c", show, cwd=tmp_path, JNKI_TARGET="inf2").stdout == "inf2\n"
    assert jnki_run("--target=trn3", "-c", show, cwd=tmp_path, JNKI_TARGET="inf2").stdout == "trn3\n"
    assert jnki_run("-c", show, cwd=tmp_path).stdout == "trn2\n"


def test_a_target_that_does_not_exist_is_named_with_those_that_do(tmp_path):
    result = jnki_run("--target", "trn9", "-c", "print('ran')", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "python -m jnki: --target: 'trn9' is not a target\n" in result.stderr
    assert "trn1, inf2, trn2, trn3" in result.stderr


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ("", Command("help")),
        ("-h", Command("help")),
        ("--version", Command("version")),
        ("k.py -m x --target trn1", Command("script", "k.py", ("-m", "x", "--target", "trn1"))),
        ("--target trn1 k.py", Command("script", "k.py", (), "trn1")),
        ("--target=inf2 -m pytest -q", Command("module", "pytest", ("-q",), "inf2")),
        ("-c pass -h", Command("code", "pass", ("-h",))),
    ],
)
def test_options_end_where_the_program_begins(argv, command):
    assert parse(argv.split()) == command


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("-x k.py", "unknown option -x"),
        ("-m", "-m needs a module"),
        ("-c", "-c needs code"),
        ("--target", "--target needs a name"),
        ("--target trn1", "--target needs a SCRIPT, -m MODULE or -c CODE to run"),
    ],
)
def test_a_malformed_command_line_is_named_with_status_2(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(argv.split())
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"python -m jnki: {message}\n")


def test_spawned_processes_are_served_too(tmp_path):
    (tmp_path / "spawns.py").write_text(
        "import multiprocessing, sys\n"
        "import neuronxcc.nki.language as nl\n"
        "from jnki.neuronxcc.nki import language\n"
        "def work(n):\n"
        "    return n + 1, nl is language, sys.modules['neuronxcc'].__name__\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [1]))\n"
    )
    root = Path(__file__).parents[1]
    for command in (["spawns.py"], ["-m", "spawns"]):
        done = subprocess.run(
            [sys.executable, "-m", "jnki", *command],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout == "[(2, True, 'jnki.neuronxcc')]\n", done.stderr


# What a command line asks to be told of kernels.

KERNEL = """\
import numpy as np, nki, nki.language as nl, nki.isa as nisa
@nki.jit
def shifted(x, step):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(out, x)
    nisa.dma_copy(out[4:8], out[4 - step : 8 - step])
    return out
for _ in range(2):
    print(shifted(np.ones((8, 256), np.float32), {step}).sum())
"""


@pytest.mark.parametrize(("step", "status"), [(4, 0), (3, 1)])
@pytest.mark.parametrize("eager", ["", "1"])
def test_check_tells_of_each_kernel_and_ends_with_its_status(tmp_path, step, status, eager):
    (tmp_path / "script.py").write_text(KERNEL.format(step=step))
    environment = {"JNKI_EAGER": eager} if eager else {}
    run = jnki_run("--check", "script.py", cwd=tmp_path, **environment)
    assert run.returncode == status, run.stderr
    assert run.stdout == "2048.0\n2048.0\n"
    if status:
        assert run.stderr.startswith("kernel shifted: 1 warning\nwarning: dma.overlap: dma_copy writes tensor 'out'")
    assert run.stderr.count("kernel shifted:") == (2 if eager else 1)
    assert ("nothing found" in run.stderr) == (not status)


def test_check_tells_of_the_rule_that_is_broken(tmp_path):
    (tmp_path / "script.py").write_text(KERNEL.format(step="'four'"))
    run = jnki_run("--check", "script.py", cwd=tmp_path)
    assert run.returncode == 1 and "TypeError" in run.stderr
    (tmp_path / "script.py").write_text(KERNEL.format(step=2).replace("(8, 256)", "(7, 256)"))
    run = jnki_run("--check", "script.py", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("kernel shifted: 1 error\nerror: ")


@pytest.mark.parametrize("status", [0, 3])
def test_the_status_of_the_program_goes_first(tmp_path, status):
    (tmp_path / "script.py").write_text(KERNEL.format(step=3) + f"raise SystemExit({status})")
    assert jnki_run("--check", "script.py", cwd=tmp_path).returncode == (status or 1)
    assert jnki_run("--report", "script.py", cwd=tmp_path).returncode == status


def test_listing_and_report(tmp_path):
    (tmp_path / "script.py").write_text(KERNEL.format(step=4))
    run = jnki_run("--listing", "--target", "trn2", "--report", "script.py", cwd=tmp_path)
    assert run.returncode == 0
    assert run.stderr.startswith("kernel shifted on trn2\n  in x: hbm float32[8, 256]\n")
    assert "\nkernel shifted on trn2: a lower bound of its time, and no prediction\n" in run.stderr
    assert run.stderr.endswith("\nnothing on chip\n")


def test_asking_needs_a_program(tmp_path):
    run = jnki_run("--check", cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.endswith("python -m jnki: --check needs a SCRIPT, -m MODULE or -c CODE to run\n")


def test_info(tmp_path):
    run = jnki_run("info", cwd=tmp_path)
    assert run.returncode == 0
    lines = dict(line.split(None, 1) for line in run.stdout.splitlines() if not line.startswith("default"))
    assert list(lines) == ["jnki", "python", "jax", "numpy", "chex", "devices", "targets"]
    assert lines["targets"] == "trn1, inf2, trn2, trn3"
    assert "default target  trn2 for neuronxcc.nki" in run.stdout
    (tmp_path / "info").write_text("print('a script')")
    assert jnki_run("./info", cwd=tmp_path).stdout == "a script\n"


def test_view_writes_a_page_for_each_kernel(tmp_path):
    (tmp_path / "script.py").write_text(KERNEL.format(step=4) + "shifted(np.ones((8, 16), np.float32), 4)\n")
    run = jnki_run("--view", "out.html", "script.py", cwd=tmp_path)
    assert run.returncode == 0
    assert run.stderr == "kernel shifted: out.html\nkernel shifted: out_2.html\n"
    for name in ("out.html", "out_2.html"):
        assert (tmp_path / name).read_text().startswith("<!doctype html>")
    assert jnki_run("--view", cwd=tmp_path).stderr.endswith("--view needs a file\n")
    assert jnki_run("--view", "out.html", cwd=tmp_path).stderr.endswith(
        "--view needs a SCRIPT, -m MODULE or -c CODE to run\n"
    )
