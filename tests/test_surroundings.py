"""The real command in odd surroundings: it works, or says in one plain line what to change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
AS_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can be another user"
)

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Start the command in an environment of nothing but a home folder and what is given."""
    (tmp_path / "home").mkdir()
    base = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}

    def start(
        *arguments: str, given: Mapping[str, str | None] = {}, **options: object
    ) -> SimpleNamespace:
        environment = {name: value for name, value in (base | given).items() if value is not None}
        command = options.pop("command", [sys.executable, "-m", "mem_mcp", *arguments])
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            **{"cwd": tmp_path, **options},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    return start


def line(done: SimpleNamespace, code: int) -> str:
    """Return the one line in which a command that failed says why."""
    assert (done.code, done.out) == (code, ""), done
    (said,) = done.err.splitlines()
    assert said.startswith("mem-mcp: ")
    return said.removeprefix("mem-mcp: ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"MEM_MCP_DATA_DIR": "${workspaceFolder}/memory"},
            "data_dir: '${workspaceFolder}/memory'",
        ),
        ({"MEM_MCP_DATA_DIR": "file:///x"}, "data_dir: 'file:///x' is an address"),
        ({"MEM_MCP_DATA_DIR": "/etc/hosts"}, "data_dir: '/etc/hosts' is no folder"),
        ({"MEM_MCP_CONFIG": "/"}, "MEM_MCP_CONFIG: '/': Is a directory"),
        ({"MEM_MCP_CONFIG": "bad.yaml"}, "bad.yaml: has a tab in line 2; indent with spaces"),
        ({"MEM_MCP_LLM__PROMPTS": "prompts"}, "extract.md has {rules} 0 times"),
        ({"MEM_MCP_LLM__PROMPTS": "missing"}, "missing': No such file or directory"),
        ({"MEM_MCP_PICTURES__FOLDER": "missing"}, "missing': No such file or directory"),
        ({"MEM_MCP_STORE__DURABILTY": "os"}, "did you mean MEM_MCP_STORE__DURABILITY?"),
    ],
)
def test_a_mistake_in_the_settings_ends_serve_with_one_line(
    run: Run, tmp_path: Path, given: dict[str, str], told: str
):
    (tmp_path / "bad.yaml").write_text("store:\n\tdurability: os\n")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "extract.md").write_text("Extract all.\n")
    given = {
        name: str(tmp_path / value) if value in ("bad.yaml", "prompts", "missing") else value
        for name, value in given.items()
    }
    assert told in line(run("serve", given=given), 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.yaml", "home", "prompts"]


def test_a_variable_in_the_data_directory_is_filled_in_and_empty_ones_do_not_count(
    run: Run, tmp_path: Path
):
    given = {
        "MEM_MCP_DATA_DIR": "${HOME}/ความจำ ของฉัน 🚀",
        "MEM_MCP_TOOLS": "",
        "MEM_MCP_CONFIG": "",
    }
    assert run("remember", "Tea is at five", given=given).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert (tmp_path / "home" / "ความจำ ของฉัน 🚀" / "memories.lance").is_dir()


def test_a_relative_data_directory_is_said_on_stderr(run: Run, tmp_path: Path):
    said = f"data_dir: 'memory' is relative; {tmp_path / 'memory'} is used\n"
    done = run("config", "--json", given={"MEM_MCP_DATA_DIR": "memory"})
    assert (done.code, done.err) == (0, said)
    assert json.loads(done.out)
    assert said in run("serve", given={"MEM_MCP_DATA_DIR": "memory"}).err


def test_odd_variables_of_the_system_do_not_disturb(run: Run, tmp_path: Path):
    given = {
        "TZ": "Nowhere/City",
        "TMPDIR": "/no/such/folder",
        "LC_ALL": "xx_XX.nonsense",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "PYTHONUTF8": "1",
    }
    assert run("remember", "Tea is at five", given=given).code == 0
    assert (tmp_path / "home" / ".local/share/mem_mcp/memories.lance").is_dir()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a folder in use cannot be removed there")
def test_a_current_directory_that_is_gone_matters_to_relative_paths_only(run: Run, tmp_path: Path):
    start = f"mkdir gone; cd gone; rmdir ../gone; exec {sys.executable} -m mem_mcp"
    done = run(command=["sh", "-c", f"{start} stats"])
    assert (done.code, done.err) == (0, "")
    done = run(command=["sh", "-c", f"{start} stats"], given={"MEM_MCP_DATA_DIR": "memory"})
    assert "the current directory is gone" in line(done, 2)


@AS_ROOT
def test_a_user_without_a_home_of_its_own_is_told_what_to_set(run: Run, tmp_path: Path):
    them = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", sys.executable]
    if run(command=[*them, "-c", ""], cwd="/").code:
        pytest.skip("another user may not start this Python")
    recall = {"command": [*them, "-m", "mem_mcp", "recall", "x"], "cwd": "/"}
    tmp_path.chmod(0o700)
    told = line(run(**recall), 2)
    assert "data_dir" in told
    assert "Permission denied" in told
    told = line(run(given={"HOME": None}, **recall), 2)
    assert "no home folder" in told
    assert "MEM_MCP_DATA_DIR" in told
    with tempfile.TemporaryDirectory() as theirs:
        Path(theirs).chmod(0o777)
        given = {"HOME": None, "MEM_MCP_DATA_DIR": f"{theirs}/memory"}
        assert run(given=given, **recall).code == 0


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
def test_a_clock_that_is_wrong_stores_and_finds(run: Run):
    code = (
        "from mem_mcp import Memory\n"
        "with Memory.open() as memory:\n"
        "    memory.remember('Tea is at five')\n"
        "    print(memory.recall('tea').memories[0].recorded_at.year)"
    )
    done = run(command=["faketime", "1999-06-01 00:00:00", sys.executable, "-c", code])
    assert (done.code, done.out) == (0, "1999\n")
