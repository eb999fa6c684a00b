"""The edges of starting: words, streams and ports that do not fit, and memories left open."""

from __future__ import annotations

import errno
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mem_mcp
from mem_mcp import Memory, Settings
from mem_mcp.cli import serve
from mem_mcp.errors import MemError
from mem_mcp.server import transports

COMMAND = [sys.executable, "-m", "mem_mcp"]
ENDS_WITHIN = 120  # seconds; a guard against hanging, never a measurement
ROOT = str(Path(mem_mcp.__file__).parents[1])
NARROW = {"PYTHONIOENCODING": "cp1252:strict"}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(
    *arguments: str | bytes, stdout: Any = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ROOT, **environment},
        timeout=ENDS_WITHIN,
        check=False,
    )


# Characters


def test_words_and_folders_are_utf_8_whatever_the_locale(tmp_path: Path):
    text = "Fête \N{ROCKET} 数据库 ฉันชอบชา"
    folder = str(tmp_path / "ไทย")
    stored = run("remember", text.encode(), **ASCII, MEM_MCP_DATA_DIR=folder)
    assert (stored.returncode, stored.stderr) == (0, b"")
    done = run("recall", "数据库".encode(), **NARROW, MEM_MCP_DATA_DIR=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert text in done.stdout.decode("utf-8")


@pytest.mark.parametrize("locale", [NARROW, ASCII, {}], ids=["cp1252", "ASCII", "UTF-8"])
def test_a_word_that_no_encoding_has_is_shown_escaped(locale: dict[str, str]):
    done = run("数据库".encode() + b"\xe9", **locale)
    assert done.returncode == 2
    assert "数据库\\udce9" in done.stderr.decode("utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
@pytest.mark.parametrize("argument", ["--help", "config"])
def test_output_that_cannot_be_written_is_said_in_one_line(argument: str):
    with Path("/dev/full").open("wb") as full:
        done = run(argument, stdout=full)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"No space left on device" in done.stderr


# Arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--transport", "htttp"], "did you mean http?"),
        (["--transport", "SSE"], "did you mean sse?"),
        (["--transport", "streamable-http"], "did you mean http?"),
        (["--transport", "websocket"], "stdio, http, sse"),
        (["--transport", "http", "--host", "nowhere"], "127.0.0.1"),
        (["--transport", "http", "--host", "0.0.0.0"], "token create"),
        (["--transport", "http", "--port", "70000"], "0..65535"),
        (["--transport", "sse", "--port=-1"], "0..65535"),
        (["--port", "eight"], "'eight' is no number"),
        (["--port"], "--port"),
        (["--bogus"], "--bogus"),
        (["stdio"], "stdio"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_named_in_one_line(arguments: list[str], said: str, capsys):
    try:
        code = serve.main(arguments)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mem-mcp: ")
    assert said in err


def test_a_port_in_use_is_said_in_one_line_also_by_the_command():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        done = run("serve", "--transport", "http", "--port", port)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert b"Address already in use" in done.stderr
    assert b"choose another --port" in done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.EACCES, "below 1024"), (errno.EADDRNOTAVAIL, "--host 127.0.0.1"), (None, "--port")],
)
def test_a_port_that_cannot_be_had_is_refused_with_a_remedy(code: int | None, said: str):
    error = transports._unusable("127.0.0.1", 80, OSError(code, "x") if code else OSError("x"))
    assert isinstance(error, MemError)
    assert said in str(error)
    assert "\n" not in str(error)


# By hand


def started(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.Popen(
        [*COMMAND, "serve", *arguments],
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        **options,
    )


@pytest.mark.parametrize("end", ["Ctrl-D", "Ctrl-C"])
def test_who_types_it_is_told_what_it_is_for_and_can_end_it(end: str):
    ours, terminal = pty.openpty()
    try:
        with started(stdin=terminal, stdout=subprocess.DEVNULL) as process:
            assert process.stderr
            said = [process.stderr.readline() for _ in range(3)]
            if end == "Ctrl-D":
                os.write(ours, b"\x04")
            else:
                process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=ENDS_WITHIN)
    finally:
        os.close(terminal)
        os.close(ours)
    assert "MCP client" in said[0]
    assert "mem-mcp demo" in said[1]
    assert (process.returncode, rest) == (0 if end == "Ctrl-D" else 130, "")


def test_ctrl_c_ends_a_server_on_a_free_port_without_a_traceback():
    with started("--transport", "http", "--port", "0") as process:
        assert process.stderr
        assert "listening on http://127.0.0.1:" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 130
    assert "Traceback" not in rest


# Memories that were left open


@pytest.mark.parametrize(
    "script",
    [
        "cm = Memory.open(s); m = cm.__enter__(); m.remember('Kept'); m.recall('kept')",
        'exec(\'m = Memory.open(s); m.remember("Kept"); m.recall("kept"); 1 / 0\', {**globals()})',
    ],
    ids=["entered by hand", "as a notebook does"],
)
def test_a_script_that_leaves_a_memory_open_ends_and_loses_nothing(script: str, settings: Settings):
    head = "from mem_mcp import Memory, Settings; s = Settings()\n"
    done = subprocess.run(
        [sys.executable, "-c", head + script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        timeout=ENDS_WITHIN,
        check=False,
    )
    assert ("ZeroDivisionError" in done.stderr) == (done.returncode == 1) == ("exec" in script)
    assert "threading" not in done.stderr
    with Memory.open(settings) as memory:
        assert [one.text for one in memory.list_memories().memories] == ["Kept"]
        # What is written off the answers' path was, too.
        assert memory.stats().learning.never_recalled == 0


def test_a_closed_memory_says_so_and_may_be_closed_again(settings: Settings):
    memory = Memory.open(settings)
    memory.remember("Kept")
    memory.close()
    memory.close()
    with pytest.raises(MemError, match="open it again"):
        memory.recall("kept")
    with Memory.open(settings) as again:
        assert again.list_memories().total == 1
