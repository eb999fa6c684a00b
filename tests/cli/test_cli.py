"""The command line: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mem_mcp.cli.app import app
from mem_mcp.cli.transfer import import_memories

Run = Callable[..., Result]
COMMANDS = [
    *("serve", "demo", "install", "uninstall"),
    *("remember", "recall", "outcome", "lessons", "feedback", "why", "list"),
    *(
        "get",
        "forget",
        "erase-user",
        "import",
        "export",
        "backup",
        "restore",
        "stats",
        "maintain",
        "doctor",
        "config",
        "evaluate",
    ),
]
HEAVY = ("lancedb", "numpy", "onnxruntime", "litellm", "mcp", "mem_mcp.memory")


@pytest.fixture
def run() -> Run:
    def invoke(*arguments: object, stdin: str | bytes = "") -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)

    return invoke


@pytest.fixture
def ok(run: Run) -> Callable[..., Any]:
    """Run a command that must succeed; return its JSON."""

    def invoke(*arguments: object, stdin: str | bytes = "") -> Any:
        result = run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Run a command that must fail; return its one line on stderr."""

    def invoke(*arguments: object, code: int = 1, stdin: str | bytes = "") -> str:
        result = run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stdout) == (code, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith("mem-mcp: ")
        return line.removeprefix("mem-mcp: ")

    return invoke


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: bytes | dict[str, Any]) -> Path:
        file = tmp_path / "memories.jsonl"
        encoded = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
        file.write_bytes(b"\n".join(encoded))
        return file

    return write


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "mem_mcp", *arguments)


# The commands


def test_help_lists_every_command(run: Run):
    shown = run("--help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in shown
    assert "..." not in shown.partition("Commands:")[2]  # each is said in one line


@pytest.mark.parametrize("arguments", [["--help"], ["config"], ["serve", "--help"]])
def test_help_and_config_import_nothing_heavy(arguments: list[str]):
    code = (
        "import sys; from mem_mcp.__main__ import main\n"
        f"sys.argv[1:] = {arguments}\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"sys.exit(str({{*{HEAVY}}} & sys.modules.keys() or ''))"
    )
    done = python("-c", code)
    assert done.stderr.strip() == ""


def test_serve_is_reached_without_typer():
    code = (
        "import sys; from mem_mcp.__main__ import main\n"
        "sys.argv[1:] = ['serve', '--transport', 'http', '--host', '0.0.0.0']\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {'typer'} & sys.modules.keys())"
    )
    done = python("-c", code)
    assert done.stdout == "2 set()\n"


def test_a_remembered_text_is_recalled(ok: Callable[..., Any]):
    stored = ok("remember", "Caroline moved from Sweden", "--tag", "home", "--user", "u1")
    (memory,) = ok("recall", "Where is Caroline from?", "--user", "u1")["memories"]
    assert memory["memory_id"] == stored["results"][0]["memory_id"]
    assert (memory["text"], memory["tags"]) == ("Caroline moved from Sweden", ["home"])


def test_people_get_lines_instead_of_json(run: Run):
    assert run("remember", "Caroline moved from Sweden").stdout.startswith("stored as ")
    assert run("remember", "Caroline moved from Sweden").stdout.startswith("known already as ")
    assert "Caroline moved from Sweden" in run("recall", "Sweden", "--explain").stdout
    assert "1 of 1 memory" in run("list").stdout


def test_a_text_can_come_from_stdin_and_is_stored_as_it_is(ok: Callable[..., Any]):
    result = ok("remember", "-", stdin="Grüße\naus Köln\n".encode())
    assert result["results"][0]["text"] == "Grüße\naus Köln"


def test_a_repeated_idempotency_key_stores_nothing(ok: Callable[..., Any]):
    first = ok("remember", "one", "--idempotency-key", "k")
    assert ok("remember", "two", "--idempotency-key", "k") == first


def test_recall_takes_every_condition(ok: Callable[..., Any]):
    common = ("--tag", "deploy", "--metadata", '{"team": "a"}', "--run", "r1")
    at = ("--occurred-at", "2026-03-01T10:00:00Z")
    ok("remember", "Deploy with the blue script", "--kind", "procedure", *common, *at)
    ok("remember", "Deploy with the green script", "--metadata", '{"team": "b"}')
    found = ok(
        *("recall", "How do we deploy?", "--limit", 5, "--max-tokens", 100, "--explain"),
        *("--kind", "procedure", "--kind", "fact", "--tag", "deploy", "--run", "r1"),
        *("--filters", '{"metadata.team": "a"}', "--min-score", 0.01, "--no-global"),
        *("--since", "2026-03-01T00:00:00Z", "--until", "2026-03-02T00:00:00Z"),
    )
    (memory,) = found["memories"]
    assert memory["text"] == "Deploy with the blue script"
    assert sum(memory["scores"].values()) == pytest.approx(memory["score"], abs=1e-4)


def test_recall_answers_as_of_a_past_moment(ok: Callable[..., Any]):
    ok("remember", "Deploy with the blue script")
    assert ok("recall", "deploy", "--as-of", "2020-01-01T00:00:00Z")["memories"] == []


def test_list_goes_on_where_the_last_page_ended(ok: Callable[..., Any]):
    for text in ("one", "two", "three"):
        ok("remember", text)
    page = ok("list", "--limit", 2, "--order", "oldest")
    assert ([m["text"] for m in page["memories"]], page["total"]) == (["one", "two"], 3)
    page = ok("list", "--limit", 2, "--order", "oldest", "--cursor", page["next_cursor"])
    assert ([m["text"] for m in page["memories"]], page["next_cursor"]) == (["three"], None)


def test_a_forgotten_memory_keeps_its_history_until_it_is_purged(
    ok: Callable[..., Any], run: Run, refused: Callable[..., str]
):
    memory_id = ok("remember", "The door code is 1234")["results"][0]["memory_id"]
    ok("forget", memory_id)
    assert "no memory" in refused("get", memory_id)
    versions = ok("get", memory_id, "--history")["versions"]
    assert [version["event"] for version in versions] == ["ADD", "DELETE"]
    assert "v2 DELETE" in run("get", memory_id, "--history").stdout
    ok("forget", memory_id, "--purge")
    assert "no memory" in refused("get", memory_id, "--history")


def test_forgetting_by_filters_only_counts_until_it_is_confirmed(ok: Callable[..., Any], run: Run):
    ok("remember", "one")
    filters = ("--filters", '{"kind": "fact"}')
    assert "1 memory would be forgotten" in run("forget", *filters).stdout
    assert ok("list")["total"] == 1
    assert ok("forget", *filters, "--confirm")["forgotten"] == 1
    assert ok("list")["total"] == 0


def test_stored_text_cannot_steer_the_terminal(ok: Callable[..., Any], run: Run):
    ok("remember", "-", stdin="red \x1b[31malert\x07 and\rback")
    shown = run("recall", "alert").stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\r" not in shown


# Learning


LESSON = "Run the migration before the deployment"
FAILED = ("outcome", "Deploy the web shop", "--outcome", "failure", "--lesson", LESSON)


def test_an_outcome_takes_everything_that_the_tool_takes(ok: Callable[..., Any], tmp_path: Path):
    used = ok("remember", "Deployments go through deploy.sh")["results"][0]["memory_id"]
    log = tmp_path / "deploy.log"
    log.write_bytes(b"from a file \xff\n")
    outcome = ok(
        *(*FAILED, "--summary", "A column was missing", "--task-type", "deploy"),
        *("--tool", "deploy.sh", "--severity", "major", "--agent-version", "7"),
        *("--confidence", 0.5, "--log", log, "--log", "-", "--used", used, "--tag", "shop"),
        *("--metadata", '{"ticket": 12}', "--occurred-at", "2026-03-01T10:00:00Z"),
        *("--agent", "a1", "--run", "r1", "--idempotency-key", "k"),
        stdin="from stdin",
    )
    assert (outcome["outcome"], outcome["credited"]) == ("failure", [used])
    memory = ok("get", outcome["memory_id"])["memory"]
    assert (memory["task_type"], memory["tool_name"]) == ("deploy", "deploy.sh")
    assert (memory["severity"], memory["agent_version"]) == ("major", "7")
    assert (memory["confidence"], memory["used"], memory["tags"]) == (0.5, [used], ["shop"])
    assert (memory["metadata"], memory["occurred_at"]) == ({"ticket": 12}, "2026-03-01T10:00:00Z")
    assert (memory["agent_id"], memory["run_id"]) == ("a1", "r1")
    assert "from a file \N{REPLACEMENT CHARACTER}\n" in memory["source"]
    assert "from stdin" in memory["source"]
    again = ok(*FAILED, "--key", "k", "--agent", "a1", "--run", "r1")
    assert again["memory_id"] == outcome["memory_id"]


def test_lessons_brief_for_the_next_task(ok: Callable[..., Any], run: Run):
    recorded = run(*FAILED, "--task-type", "deploy", "--tool", "deploy.sh")
    memory_id = recorded.stdout.split()[-1]
    assert recorded.stdout == f"failure recorded as {memory_id}\n"
    shown = run("lessons", "Deploy the billing service").stdout
    for part in ("what failed", LESSON, "failure · deploy · deploy.sh", memory_id, "0 of 1"):
        assert part in shown
    assert "recall_id r" in shown.splitlines()[-1]
    briefing = run("lessons", "Deploy the billing service", "--briefing").stdout
    assert briefing.rstrip("\n") == ok("lessons", "Deploy the billing service")["briefing"]


def test_lessons_take_every_condition(ok: Callable[..., Any]):
    ok(*FAILED, "--task-type", "deploy", "--tool", "helm", "--severity", "minor", "--global")
    ok(*("outcome", "Deploy the blog", "--outcome", "success", "--user", "u1"))
    found = ok(
        *("lessons", "Deploy the billing service", "--task-type", "deploy", "--tool", "helm"),
        *("--outcome", "failure", "--outcome", "partial", "--severity", "minor", "--user", "u1"),
        *("--since", "2020-01-01T00:00:00Z", "--limit", 3, "--max-tokens", 500),
    )
    assert (len(found["failures"]), found["successes"]) == (1, [])
    found = ok("lessons", "Deploy the billing service", "--user", "u1", "--no-global")
    assert (found["failures"], len(found["successes"])) == ([], 1)


def test_where_nothing_was_learned_people_are_told_so(run: Run):
    assert run("lessons", "Deploy the shop").stdout.startswith("nothing known about such tasks\n")


def test_feedback_names_the_answer_and_shows_in_the_next_one(ok: Callable[..., Any], run: Run):
    memory_id = ok("remember", "The office is in Oslo")["results"][0]["memory_id"]
    last = run("recall", "Where is the office?").stdout.splitlines()[-1]
    assert last.startswith("recall_id ")
    said_of = ("feedback", memory_id, "--recall-id", last.split()[-1])
    assert run(*said_of, "positive").stdout == f"{memory_id}  POSITIVE (before: NONE)\n"
    shown = run("recall", "where is  the office?", "--explain").stdout
    assert "marked: positive 1" in shown
    assert "useful" in shown
    assert ok(*said_of, "NONE")["results"] == [
        {"memory_id": memory_id, "feedback": None, "previous": "POSITIVE"}
    ]
    assert "marked" not in run("recall", "Where is the office?", "--explain").stdout


def test_an_answer_explains_why_a_memory_is_in_it(ok: Callable[..., Any], run: Run):
    memory_id = ok("remember", "The office is in Oslo")["results"][0]["memory_id"]
    recall_id = ok("recall", "Where is the office?")["recall_id"]
    why = ok("why", recall_id, memory_id)
    assert (why["recall_id"], why["memory_id"]) == (recall_id, memory_id)
    assert (why["found"], why["rank"]) == (True, 1)
    assert why["verdict"] in run("why", recall_id, memory_id).stdout


def test_of_many_marks_the_bad_ones_are_named(ok: Callable[..., Any], run: Run, tmp_path: Path):
    memory_id = ok("remember", "The office is in Oslo")["results"][0]["memory_id"]
    file = tmp_path / "marks.jsonl"
    good = {"memory_id": memory_id, "feedback": "NEGATIVE", "query": "Where is it?"}
    wrong = {"memory_id": "nope", "feedback": "POSITIVE"}
    file.write_text(f"{json.dumps(good)}\n\nnot json\n[1]\n{json.dumps(wrong)}\n")
    result = run("feedback", "--items", file, "--json")
    assert result.exit_code == 1
    given = json.loads(result.stdout)
    assert [one["feedback"] for one in given["results"]] == ["NEGATIVE"]
    assert [error["error"][:20] for error in given["errors"][:2]] == [
        "--items line 3: must",
        "--items line 4: must",
    ]
    assert given["errors"][2]["memory_id"] == "nope"
    shown = run("feedback", "--items", file).stdout.splitlines()
    assert shown[0] == f"{memory_id}  NEGATIVE (before: NEGATIVE)"
    assert all(line.startswith("refused  ") for line in shown[1:])
    assert ok("feedback", "--items", "-", stdin=json.dumps(good))["errors"] == []


# Import and export


def test_an_import_skips_bad_lines_and_names_them(run: Run, jsonl: Callable[..., Path]):
    file = jsonl(
        {"text": "first", "user_id": "u1", "tags": ["x"]},
        b"not json",
        "caf\xe9".encode("latin-1"),
        b"",
        {"content": "second"},
        {"text": ""},
        {"text": "first", "user_id": "u1"},
        {"text": "third", "colour": "red"},
        b"[1, 2]",
    )
    result = run("import", file, "--json")
    counts = json.loads(result.stdout)
    assert result.exit_code == 1
    assert set(counts) == {"imported", "duplicates", "errors"}
    assert (counts["imported"], counts["duplicates"]) == (2, 1)
    assert [error["line"] for error in counts["errors"]] == [2, 3, 6, 8, 9]
    assert all(set(error) == {"line", "error"} for error in counts["errors"])
    assert "not UTF-8" in counts["errors"][1]["error"]
    assert "colour" in counts["errors"][3]["error"]


def test_people_are_told_of_each_bad_line(run: Run, jsonl: Callable[..., Path]):
    result = run("import", jsonl({"text": "good"}, b"{"))
    assert result.exit_code == 1
    bad, counts = result.stdout.splitlines()
    assert bad.startswith("line 2: ")
    assert counts == "1 memory imported, 0 known already, 1 bad"


def test_an_import_reads_stdin_and_forgives_a_byte_order_mark(ok: Callable[..., Any]):
    counts = ok("import", "-", "--user", "u7", stdin=b'\xef\xbb\xbf{"text": "hello"}\n')
    assert counts == {"imported": 1, "duplicates": 0, "errors": []}
    assert ok("list", "--user", "u7")["total"] == 1


def test_an_empty_file_imports_nothing(ok: Callable[..., Any], jsonl: Callable[..., Path]):
    assert ok("import", jsonl()) == {"imported": 0, "duplicates": 0, "errors": []}


def test_what_cannot_be_imported_is_named(refused: Callable[..., str], tmp_path: Path):
    assert refused("import", tmp_path) == f"{tmp_path}: Is a directory"
    missing = tmp_path / "missing.jsonl"
    assert refused("import", missing) == f"{missing}: No such file or directory"


def test_an_export_can_be_imported_elsewhere(
    ok: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ok("remember", "Grüße aus Köln", "--tag", "mail", "--user", "u1", "--metadata", '{"n": [1]}')
    ok("remember", "second", "--user", "u2")
    file = tmp_path / "out.jsonl"
    assert ok("export", file) == {"exported": 2, "degraded": []}
    assert ok("export", tmp_path / "u2.jsonl", "--user", "u2") == {"exported": 1, "degraded": []}
    monkeypatch.setenv("MEM_MCP_DATA_DIR", str(tmp_path / "other"))
    assert ok("import", file)["imported"] == 2
    (memory,) = ok("list", "--user", "u1")["memories"]
    assert memory["text"] == "Grüße aus Köln"
    assert (memory["tags"], memory["metadata"]) == (["mail"], {"n": [1]})


def test_an_export_to_stdout_is_nothing_but_lines(ok: Callable[..., Any], run: Run):
    ok("remember", "one")
    _, line = run("export", "-").stdout.splitlines()
    assert json.loads(line)["text"] == "one"


def test_a_failed_export_leaves_the_earlier_file_alone(
    refused: Callable[..., str], tmp_path: Path, data_dir: Path
):
    file = tmp_path / "out.jsonl"
    file.write_text("earlier")
    data_dir.write_text("not a folder")
    refused("export", file, code=2)
    assert file.read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"out.jsonl", data_dir.name}


def test_an_export_is_refused_where_no_file_can_be(refused: Callable[..., str], tmp_path: Path):
    assert "is not a file" in refused("export", tmp_path)
    assert "there is no folder" in refused("export", tmp_path / "none" / "out.jsonl")


# The store and the settings


def test_stats_count_and_maintenance_says_what_it_did(ok: Callable[..., Any], run: Run):
    ok("remember", "one")
    assert ok("stats")["by_kind"] == {"fact": 1}
    assert ok("maintain")["ran"] is True
    assert "1 of 1 user" in run("stats").stdout
    assert "files" in run("maintain").stdout


def test_config_says_where_each_value_came_from(
    ok: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path
):
    file = tmp_path / "mine.yaml"
    file.write_text("user_id: from-file\nstore:\n  durability: os\nrecall:\n  pool: 50\n")
    monkeypatch.setenv("MEM_MCP_CONFIG", str(file))
    monkeypatch.setenv("MEM_MCP_RECALL__POOL", "60")
    shown = {s["name"]: (s["value"], s["source"]) for s in ok("config")["settings"]}
    assert shown["data_dir"] == (str(data_dir), "MEM_MCP_DATA_DIR")
    assert shown["user_id"] == ("from-file", str(file))
    assert shown["store.durability"] == ("os", str(file))
    assert shown["recall.pool"] == (60, "MEM_MCP_RECALL__POOL")
    assert shown["recall.whole"] == (6000, "default")


def test_a_working_installation_passes_the_doctor(run: Run, data_dir: Path):
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert str(data_dir) in result.stdout
    assert "initialize" in result.stdout
    assert result.stdout.endswith("all is well\n")


def test_the_doctor_names_a_remedy_for_what_fails(run: Run, data_dir: Path):
    data_dir.write_text("not a folder")
    result = run("doctor", "--json")
    diagnosis = json.loads(result.stdout)
    failed = {check["name"]: check for check in diagnosis["checks"] if not check["ok"]}
    assert (result.exit_code, diagnosis["ok"]) == (1, False)
    assert set(failed) == {"settings"}
    assert str(data_dir) in failed["settings"]["detail"]
    assert "MEM_MCP_DATA_DIR" in failed["settings"]["detail"]


def test_the_doctor_reports_a_wrong_setting(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_LOG_LEVEL", "loud")
    result = run("doctor")
    assert result.exit_code == 1
    assert "log_level" in result.stdout


def test_the_demo_runs_to_its_end():
    done = process("demo")
    assert (done.returncode, done.stderr) == (0, "")
    for step in (
        *("Start", "Remember", "Recall", "Update", "history", "Forget", "A task failed"),
        *("Lessons before", "->", "install claude-code"),
    ):
        assert step in done.stdout


# Wrong input


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["remember", " "], "content: is empty"),
        (["remember", "x", "--kind", "lesson"], "kind: 'lesson'"),
        (["remember", "x", "--metadata", "[1]"], "metadata: must be an object"),
        (["remember", "x", "--occurred-at", "yesterday"], "occurred_at: 'yesterday' is not a time"),
        (["recall", ""], "query: is empty"),
        (["recall", "x", "--limit", "0"], "limit: must be"),
        (["recall", "x", "--filters", "{"], "filters: is not JSON"),
        (["recall", "x", "--filters", "3"], "filters: must be an object"),
        (["recall", "x", "--filters", '{"colour": 1}'], "filters: no field 'colour'"),
        (["list", "--filters", "{'a': }"], "filters: is not JSON"),
        (["list", "--order", "random"], "order: 'random'"),
        (["list", "--cursor", "zzz"], "cursor: is none"),
        (["get", "nope"], "memory_id: no memory 'nope'"),
        (["forget"], "memory_id: give either"),
        (["outcome", " "], "task: is empty"),
        (["outcome", "x", "--outcome", "won"], "outcome: 'won' is not one of success"),
        (["outcome", "x", "--severity", "bad"], "severity: 'bad' is not one of minor"),
        (["outcome", "x", "--metadata", "[1]"], "metadata: must be an object"),
        (["outcome", "x", "--used", "nope"], "memory_id: no memory 'nope'"),
        (["outcome", "x", "--log", "/nowhere/log"], "/nowhere/log: No such file"),
        (["lessons", ""], "task: is empty"),
        (["lessons", "x", "--outcome", "won"], "outcomes: 'won' is not one of success"),
        (["feedback"], "MEMORY_ID: is missing"),
        (["feedback", "nope"], "feedback: say POSITIVE, NEGATIVE or VERY_NEGATIVE"),
        (["feedback", "nope", "WRONG"], "feedback: 'WRONG' is not one of POSITIVE"),
        (["feedback", "nope", "POSITIVE"], "memory_id: no memory 'nope'"),
        (["feedback", "nope", "NONE", "--items", "-"], "--items: takes the place of"),
        (["feedback", "--items", "-"], "--items: there is nothing in -"),
        (["why", "nope", "nope"], "recall_id: no recall 'nope'"),
        (["forget", "nope"], "memory_id: no memory 'nope'"),
        (["evaluate", "nope"], "suite: 'nope' is not one of locomo"),
        (["evaluate", "locomo"], "--data: is missing"),
    ],
)
def test_wrong_input_is_named_in_one_line(
    refused: Callable[..., str], arguments: list[str], named: str
):
    assert refused(*arguments).startswith(named)


def test_text_in_another_encoding_is_refused(refused: Callable[..., str]):
    assert refused("remember", "-", stdin="café".encode("latin-1")) == (
        "TEXT: stdin is not UTF-8 (byte 3)"
    )


@pytest.mark.parametrize("command", [["list"], ["stats"], ["config"], ["import", "-"]])
def test_a_setting_that_does_not_exist_ends_any_command(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, command: list[str]
):
    monkeypatch.setenv("MEM_MCP_LOGLEVEL", "INFO")
    message = refused(*command, code=2)
    assert message == "MEM_MCP_LOGLEVEL: no such setting; did you mean MEM_MCP_LOG_LEVEL?"


def test_a_data_directory_that_is_a_file_is_named(refused: Callable[..., str], data_dir: Path):
    data_dir.write_text("not a folder")
    assert refused("recall", "x", code=2).startswith(f"data_dir: {str(data_dir)!r} is no folder")


def test_a_wrong_option_shows_the_usage(run: Run):
    result = run("recall", "x", "--limt", "3")
    assert result.exit_code == 2
    assert "--limt" in result.stderr


# Serving


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_serving_other_machines_is_refused(refused: Callable[..., str], transport: str):
    message = refused("serve", "--transport", transport, "--host", "0.0.0.0", code=2)
    assert "0.0.0.0" in message
    assert "127.0.0.1" in message


def test_a_wrong_setting_ends_serve_with_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEM_MCP_TOOLS", "recal")
    done = process("serve")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mem-mcp: tools: no tool 'recal'")


def test_a_port_in_use_ends_serve_with_one_line(refused: Callable[..., str], taken: int):
    assert str(taken) in refused("serve", "--transport", "http", "--port", taken)


def test_a_port_that_cannot_be_ends_serve_with_one_line():
    done = process("serve", "--transport", "http", "--port", "70000")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mem-mcp: port: ")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_an_unknown_transport_is_refused():
    done = process("serve", "--transport", "carrier-pigeon")
    assert done.returncode == 2
    assert "carrier-pigeon" in done.stderr


def test_serve_ends_cleanly_when_the_client_goes():
    done = process("serve")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# How it ends


def test_a_reader_that_has_enough_ends_an_export_quietly(ok: Callable[..., Any]):
    ok("remember", "one")
    command = f"'{sys.executable}' -m mem_mcp export - | true"
    done = subprocess.run(command, check=True, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


class Waiting:
    """A terminal on which Ctrl-C is pressed instead of a line."""

    def __init__(self) -> None:
        self.buffer = self

    def __iter__(self) -> Iterator[bytes]:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the read went on")
        yield b""


def test_ctrl_c_ends_an_import_that_waits_for_its_lines(monkeypatch: pytest.MonkeyPatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "stdin", Waiting())
    try:
        with pytest.raises(KeyboardInterrupt):
            import_memories("-")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_backup_restores_the_store_by_the_command_line(
    ok: Callable[..., Any],
    run: Run,
    refused: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    ok("remember", "Ada likes tea")
    made = ok("backup", tmp_path / "สำรอง")
    assert made["tables"]["memories"]
    assert "not an empty folder" in refused("backup", tmp_path / "สำรอง")
    assert "s3://bucket/x is an address" in refused("backup", "s3://bucket/x")
    assert "no folder with a backup" in refused("restore", tmp_path / "nothing")
    assert "would be lost" in refused("restore", tmp_path / "สำรอง")
    monkeypatch.setenv("MEM_MCP_DATA_DIR", str(tmp_path / "again"))
    assert ok("restore", tmp_path / "สำรอง")["files"] == made["files"]
    assert [one["text"] for one in ok("list")["memories"]] == ["Ada likes tea"]
    replaced = run("restore", tmp_path / "สำรอง", "--replace")
    assert "checked and copied" in replaced.stdout
    monkeypatch.setenv("MEM_MCP_STORAGE_URI", "s3://bucket/x")
    assert "is not on this machine" in refused("backup", tmp_path / "new")


def test_a_user_is_erased_by_the_command_line_with_a_receipt(
    ok: Callable[..., Any], run: Run, refused: Callable[..., str], tmp_path: Path, data_dir: Path
):
    ok("remember", "Ann lives in Oslo", "--user", "ann-7")
    assert "would be erased of ann-7" in run("erase-user", "ann-7", "--dry-run").stdout
    done = run("erase-user", "ann-7", "--receipt", tmp_path / "receipt.json")
    assert "1 memory (fact 1), 1 version" in done.stdout
    assert "nothing of it is left on the disk" in done.stdout
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert (receipt["user_id"], receipt["memories"]) == ("ann-7", {"fact": 1})
    assert not [p for p in data_dir.rglob("*") if p.is_file() and b"ann-7" in p.read_bytes()]
    assert ok("erase-user", "ann-7")["versions"] == 0
    assert "shared by all users" in refused("erase-user", "global")
