"""A change keeps every byte that it is not about, and can be taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.clients.edit import Unfit, at
from mem_mcp.clients.formats import drop, format_of, put, undo

ENTRY = {"command": "/a b/mem-mcp", "args": ["serve"], "env": {"A": "ü\\"}}
KEYS = ("mcpServers", "memory")
JSON = format_of("json")

TEXTS = {
    "json": [
        "",
        "\ufeff",
        " \n",
        "// only a comment",
        "{}",
        "{ }\n",
        '{\r\n\t"a": 1\r\n}\r\n',
        "{\n  // nothing yet\n}",
        '{"a": 1,}',
        '{\n  "a": 1, // the first\n  /* the last */\n}',
        '{ // servers\n  "mcpServers": { // mine\n    "x": {}, // x\n    "y": {} // y\n  },\n}',
        '\ufeff{\r\n  "mcpServers": {\r\n  }\r\n}',
        '{"mcpServers": {"x": {"command": "https://a//b"}}}',
        '{"mcpServers": {}, "mcpServers": {"x": {}}}',
        '{"mcpServers": {"x": "/* no comment */"}}\n// end',
    ],
    "toml": [
        "",
        "a = 1",
        "# a comment\n[mcp_servers.x]\ncommand = 'y'\n\n[mcp_servers.x.env]\nA = 'b' # c\n",
        '\ufeffa = """\n[mcp_servers.memory]\n"""\r\n',
        "[mcp_servers]\n",
        "[[a]]\nb = 1\n[[a]]\nb = nan",
    ],
    "yaml": [
        "",
        "# a comment",
        "a: 1",
        "extensions:\n  x:\n    y: 1 # one\n  # the end\nz: 2\n",
        "extensions:\r\n    x:\r\n        y: 1\r\n",
        "extensions:\nz: 1\n",
        "extensions: # none\n",
        "extensions: {}\n",
        "extensions: {a: {b: 1}}\n",
        "extensions:\n  developer:\n    args:\n    - a\n    - b\na: |\n  text\n",
    ],
}
CASES = [(name, text) for name, texts in TEXTS.items() for text in texts]
ROOTS = {"json": "mcpServers", "toml": "mcp_servers", "yaml": "extensions"}
BROKEN = {
    "json": [
        *("{", "[1", '{"a" 1}', '{"a": 1}}', "{'a': 1}", '{"a": 01}', '{"mcpServers": []}', "[]"),
        *('{"mcpServers": null}', '{"a": NaN}', "[" * 100_000, '{"a": "\n"}', '{"a": "\\x"}'),
    ],
    "toml": ["a", "a = 1\na = 2", "mcp_servers = 1", "mcp_servers = {}", "[mcp_servers"],
    "yaml": ["a: b: c", "\ta: 1", "- 1", "extensions: [1]", "a: 1\n---\nb: 2", "a: !x 1", "x" * 9],
}


@pytest.mark.parametrize(("name", "text"), CASES)
def test_an_entry_comes_and_goes_without_a_trace(name: str, text: str):
    form, keys = format_of(name), (ROOTS[name], "memory")
    edit = put(form, text, keys, ENTRY)
    with_entry = edit.applied(text)
    assert edit.removed == ""
    assert at(form.read(with_entry), keys) == ENTRY
    assert undo(form, with_entry, keys, edit) == text


@pytest.mark.parametrize(("name", "text"), CASES)
def test_an_entry_is_replaced_and_comes_back(name: str, text: str):
    form, keys = format_of(name), (ROOTS[name], "memory")
    first = put(form, text, keys, {"command": "mine", "args": ["a"]}).applied(text)
    edit = put(form, first, keys, ENTRY)
    assert at(form.read(edit.applied(first)), keys) == ENTRY
    assert undo(form, edit.applied(first), keys, edit) == first


@pytest.mark.parametrize(("name", "text"), CASES)
def test_an_entry_that_the_user_made_is_taken_out_alone(name: str, text: str):
    form, keys = format_of(name), (ROOTS[name], "memory")
    with_entry = put(form, text, keys, ENTRY).applied(text)
    if "{" in text and name == "yaml":
        with pytest.raises(Unfit, match="not written as a block"):
            drop(form, with_entry, keys)
        return
    without = drop(form, with_entry, keys)
    assert at(form.read(without), keys) is None
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith(("#", "//"))]
    assert all(comment in without for comment in comments)


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in BROKEN.items() for t in ts])
def test_what_does_not_parse_or_has_no_place_is_refused(name: str, text: str):
    with pytest.raises(Unfit):
        put(format_of(name), text, (ROOTS[name], "memory"), ENTRY)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("json", '{"mcpServers": {"memory": null}}'),
        ("json", '{"mcpServers": {"memory": "x"}}'),
        ("json", '{"\\u006dcpServers": {"memory": {}}}'),
        ("toml", '[ mcp_servers . "memory" ] # mine\nargs = [\n["a"]\n]\n# of z\n[z]\n'),
        ("toml", "[mcp_servers.memory]\ncommand = '''\n[x]\n'''\n[y]\n"),
        ("toml", "[mcp_servers.memory.env]\nA = 1\n[mcp_servers.memory]\nb = 1\n"),
        ("yaml", "extensions:\n  memory:\n    args:\n    - a\n  y: 1\n"),
        ("yaml", "extensions:\n  memory: {cmd: x} # one\n  y: 1\n"),
        ("yaml", "extensions:\n  memory:\n    d: >-\n      long\n\n      text\n\n  z: 1\n"),
        ("yaml", "extensions:\n  memory:\n"),
    ],
)
def test_an_entry_in_any_writing_is_replaced_and_comes_back(name: str, text: str):
    form, keys = format_of(name), (ROOTS[name], "memory")
    edit = put(form, text, keys, ENTRY)
    assert at(form.read(edit.applied(text)), keys) == ENTRY
    assert undo(form, edit.applied(text), keys, edit) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("toml", "[mcp_servers]\nmemory = {command = 'x'}\n"),
        ("toml", "mcp_servers.memory.command = 'x'\n"),
        ("toml", "[mcp_servers.memory]\na = 1\n[b]\nc = 1\n[mcp_servers.memory.env]\nA = 1\n"),
        ("yaml", "extensions: &a\n  x: 1\nb: *a\n"),
        ("yaml", "a: 1\n...\n"),
    ],
)
def test_a_file_that_would_change_elsewhere_too_is_refused(name: str, text: str):
    with pytest.raises(Unfit, match=r"not written as a table|cannot be changed safely"):
        put(format_of(name), text, (ROOTS[name], "memory"), ENTRY)


def test_what_was_added_elsewhere_meanwhile_stays():
    text = '{\n  "mcpServers": {\n    "x": {}\n  }\n}\n'
    edit = put(JSON, text, KEYS, ENTRY)
    later = '{\n  "new": [1, 2],' + edit.applied(text)[1:]
    assert undo(JSON, later, KEYS, edit) == '{\n  "new": [1, 2],' + text[1:]


def test_an_entry_that_was_changed_cannot_be_taken_back_as_it_was():
    edit = put(JSON, "{}", KEYS, ENTRY)
    assert undo(JSON, edit.applied("{}").replace("serve", "help"), KEYS, edit) is None


def test_a_member_that_follows_keeps_its_own_comment():
    text = '{\n  "memory": {}, // ours\n  "x": 1 // theirs\n}'
    assert drop(JSON, text, ("memory",)) == '{\n  // ours\n  "x": 1 // theirs\n}'


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
documents = st.dictionaries(st.text(max_size=4) | st.just("mcpServers"), values, max_size=4).filter(
    lambda tree: isinstance(tree.get("mcpServers", {}), dict)
)
blanks = st.lists(
    st.sampled_from(["", " ", "\t", "\n", "\r\n", "  ", '// x { " \n', "/* , } */", "// é\r\n"]),
    max_size=3,
).map("".join)


@st.composite
def formatted(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A document, and how somebody may have written it."""

    def write(value: Any) -> str:
        if isinstance(value, dict):
            items = [f"{write(key)}{gap()}:{gap()}{write(one)}" for key, one in value.items()]
        elif isinstance(value, list):
            items = [write(one) for one in value]
        else:
            return json.dumps(value, ensure_ascii=draw(st.booleans()))
        inside = f"{gap()},{gap()}".join(items)
        comma = "," if items and draw(st.booleans()) else ""
        left, right = "{}" if isinstance(value, dict) else "[]"
        return f"{left}{gap()}{inside}{gap()}{comma}{gap()}{right}"

    def gap() -> str:
        return draw(blanks)

    tree = draw(documents)
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return tree, f"{bom}{gap()}{write(tree)}{gap()}"


@settings(max_examples=60)
@given(formatted(), st.text(max_size=3) | st.just("memory"))
def test_json_in_any_form_is_changed_only_where_it_is_meant(
    written: tuple[dict[str, Any], str], name: str
):
    tree, text = written
    keys = ("mcpServers", name)
    assert repr(JSON.read(text)) == repr(tree)
    edit = put(JSON, text, keys, ENTRY)
    after = edit.applied(text)
    assert undo(JSON, after, keys, edit) == text
    expected = {**tree, "mcpServers": {**tree.get("mcpServers", {}), name: ENTRY}}
    assert JSON.read(after) == expected
    del expected["mcpServers"][name]
    assert JSON.read(drop(JSON, after, keys)) == expected


@settings(max_examples=30)
@given(formatted())
def test_any_member_can_be_dropped(written: tuple[dict[str, Any], str]):
    tree, text = written
    for key in tree:
        rest = {name: value for name, value in tree.items() if name != key}
        if tree[key] is not None:
            assert JSON.read(drop(JSON, text, (key,))) == rest
