"""One user attacks another's memory over HTTP, with a token of their own and all that leaked.

The same call is made to two servers that hold the same, except that on one of them the other user
never stored anything: whatever the attacker learns must be the same on both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from guarded import Guarded, serving
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from mem_mcp import Settings

SECRET = "quillfeather"
"""Is in each text of the victim, and in nothing that the attacker sends."""
HERS = {
    "agent_id": "her-agent",
    "run_id": "her-run",
    "idempotency_key": "her-key",
    "task_type": "her_task",
    "tool_name": "her_tool",
    "tag": "her-tag",
    "metadata": "her-team",
}
SAID = (
    f"My bicycle is called {SECRET} and stands in the cellar",
    f"The code of the {SECRET} door is 4711",
    f"Deploy {SECRET} with make ship, never on Fridays",
)
TOPICS = ("my bicycle", "the code of the door", "deploy", "what is my name?", "")


class World:
    """A server, what is stored there, and a client of each user."""

    def __init__(self, portal: BlockingPortal, server: Guarded, stack: ExitStack) -> None:
        self.portal = portal
        self.server = server
        self.clients: dict[str, Client] = {}
        for user, scopes in {
            "victim": ("read", "write"),
            "attacker": ("read", "write"),
            "sharer": ("read", "write", "global"),
        }.items():
            client = server.client(server.token(user, *scopes))
            self.clients[user] = stack.enter_context(portal.wrap_async_context_manager(client))
        self.ids: list[str] = []
        self.recalls: list[str] = []

    def call(self, user: str, tool: str, **given: Any) -> Any:
        return self.portal.call(self.clients[user].call_tool, tool, given)

    def stored(self, user: str, **given: Any) -> str:
        result = self.call(user, "remember", **given)
        assert not result.is_error, result
        return result.structured_content["results"][0]["memory_id"]

    def hers(self) -> Any:
        """Return all that the victim has, and how she finds it."""
        kept = self.call("victim", "list_memories", limit=200, filters={"status": {"exists": True}})
        found = [
            self.call("victim", "recall", query=topic, include_global=False).structured_content
            for topic in TOPICS[:2]
        ]
        scores = [[(one["memory_id"], one["score"]) for one in each["memories"]] for each in found]
        lessons = self.call("victim", "recall_lessons", task="ship", include_global=False)
        taught = {**lessons.structured_content, "recall_id": ""}
        return kept.structured_content, scores, taught


class Leaked:
    """What the attacker found of the victim's in some log."""

    def __init__(self, world: World) -> None:
        her = {name: HERS[name] for name in ("agent_id", "run_id")}
        more = {"tags": [HERS["tag"]], "metadata": {"team": HERS["metadata"]}, **her}
        self.ids = [world.stored("victim", content=text, **more) for text in SAID]
        self.ids.append(
            world.stored(
                "victim",
                messages=[{"role": "user", "content": f"{SECRET} is my name", "name": SECRET}],
                idempotency_key=HERS["idempotency_key"],
                **her,
            )
        )
        outcome = world.call(
            "victim",
            "record_outcome",
            task=f"ship {SECRET}",
            outcome="failure",
            lesson=f"Ask {SECRET} first",
            task_type=HERS["task_type"],
            tool_name=HERS["tool_name"],
            tags=[HERS["tag"]],
            used_memory_ids=self.ids[:1],
            idempotency_key=HERS["idempotency_key"],
        )
        self.ids.append(outcome.structured_content["memory_id"])
        gone = world.stored("victim", content=f"Forget {SECRET}")
        world.call("victim", "forget", memory_id=gone)
        self.ids.append(gone)
        answers = [world.call("victim", "recall", query=topic) for topic in TOPICS[:3]]
        self.recalls = [answer.structured_content["recall_id"] for answer in answers]
        world.call("victim", "give_feedback", memory_id=self.ids[0], feedback="POSITIVE")
        page = world.call("victim", "list_memories", limit=2).structured_content
        self.cursor = page["next_cursor"]


class Worlds:
    def __init__(self, with_her: World, without_her: World) -> None:
        self.both = (with_her, without_her)
        for world in self.both:
            for topic in ("bicycle", "door", "deploy"):
                world.stored("sharer", content=f"All know the {topic}", user_id="global")
                world.ids.append(world.stored("attacker", content=f"I know nothing of the {topic}"))
        self.leaked = Leaked(with_her)
        self.kept = with_her.hers()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        both = []
        for name in ("with", "without"):
            folder: Path = tmp_path_factory.mktemp(name)
            opened = serving(Settings(data_dir=folder, tools="all", time_zone="UTC"))
            server = stack.enter_context(portal.wrap_async_context_manager(opened))
            both.append(World(portal, server, stack))
        yield Worlds(*both)


# What the attacker sends. A place holder stands for what only a world knows.


def own(kind: str) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(kind), st.integers(0, 5))


OWN_ID, HER_ID = own("own id"), own("her id")
ID = st.one_of(
    HER_ID,
    st.tuples(st.just("her prefix"), st.integers(0, 5), st.integers(1, 31)),
    OWN_ID,
    st.sampled_from(["", "0", "%", "*", "a' OR 'a'='a", "global", "\x00", "e" * 6]),
)
RECALL_ID = st.one_of(own("her recall"), own("own recall"), st.sampled_from(["", "r0"]))
USER = st.sampled_from(
    ["attacker", "victim", "victim", "victim", "Victim", " victim", "victim ", "*", "global",
     "victim' OR '1'='1", "vict\u0131m", ["victim"], {"ne": "attacker"}]
)  # fmt: skip
TEXT = st.one_of(
    st.sampled_from([*TOPICS, *HERS.values(), "victim", "user_id", "4711"]), st.text(max_size=12)
)
NAME = st.one_of(st.sampled_from(["", *HERS.values()]), st.text(max_size=6))
# Not the ids: the attacker's own are random, and would be before or after another by chance.
FIELD = st.sampled_from(
    ["user_id", "text", "tags", "actor", "run_id", "agent_id", "status",
     "task_type", "tool_name", "metadata.team", "content_hash", "request_key", "used", "kind",
     "recorded_at", "superseded_at", "source", "vector", "nonsense"]
)  # fmt: skip
OPERATOR = st.sampled_from(
    ["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "icontains", "exists", "like"]
)
VALUE = st.one_of(
    st.sampled_from(["victim", "her", "a", "deleted", True, False, 0, "2000-01-01T00:00:00Z"]),
    HER_ID,
    NAME,
)
CONDITION = st.one_of(
    st.builds(lambda field, operator, value: {field: {operator: value}}, FIELD, OPERATOR, VALUE),
    st.sampled_from(
        [
            {"user_id": "victim"},
            {"user_id": {"in": ["victim", "attacker"]}},
            {"user_id": {"ne": "attacker"}},
            {"user_id": {"exists": True}},
            {"actor": "victim"},
            {"text": {"contains": "4711"}},
            {"text": {"icontains": "BICYCLE"}},
            {"tags": {"contains": HERS["tag"]}},
            {"metadata.team": HERS["metadata"]},
            {"run_id": {"contains": "her"}},
            {"status": {"in": ["deleted", "active", "hidden"]}},
            {"superseded_at": {"exists": True}},
            {"request_key": HERS["idempotency_key"]},
            {"memory_id": {"gte": "0"}},
        ]
    ),
    st.builds(lambda one: {"memory_id": one}, HER_ID),
    st.builds(lambda one: {"used": {"contains": one}}, HER_ID),
)
FILTERS = st.recursive(
    CONDITION,
    lambda inner: st.one_of(
        st.builds(lambda some: {"OR": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda some: {"AND": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"NOT": one}, inner),
    ),
    max_leaves=4,
)
SCOPE = {"user_id": USER, "agent_id": NAME, "run_id": NAME}
TIME = st.sampled_from(["", "2000-01-01", "2999-01-01", "yesterday"])
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "remember": (
        {},
        {
            **SCOPE,
            "content": st.one_of(TEXT, st.sampled_from(["The code of the door is", *TOPICS])),
            "messages": st.lists(st.builds(lambda text: {"role": "user", "content": text}, TEXT)),
            "idempotency_key": NAME,
            "metadata": st.just({"team": "x", "user_id": "victim"}),
            "tags": st.lists(NAME, max_size=2),
        },
    ),
    "recall": (
        {"query": TEXT},
        {
            **SCOPE,
            "filters": FILTERS,
            "kinds": st.sampled_from([["outcome"], ["message"], ["fact", "lesson"]]),
            "tags": st.lists(NAME, max_size=2),
            "as_of": TIME,
            "since": TIME,
            "min_score": st.sampled_from([0, 0.0, 0.5]),
            "explain": st.booleans(),
            "include_global": st.booleans(),
            "limit": st.sampled_from([1, 10, 200]),
        },
    ),
    "record_outcome": (
        {"task": TEXT, "outcome": st.sampled_from(["success", "failure"])},
        {
            **SCOPE,
            "used_memory_ids": st.lists(ID, max_size=2),
            "recall_id": RECALL_ID,
            "user_scope": st.sampled_from(["user", "global", "everyone"]),
            "idempotency_key": NAME,
            "task_type": NAME,
            "lesson": TEXT,
        },
    ),
    "recall_lessons": (
        {"task": TEXT},
        {**SCOPE, "task_type": NAME, "tool_name": NAME, "outcomes": st.just(["failure"])},
    ),
    "give_feedback": (
        {},
        {
            "user_id": USER,
            "memory_id": ID,
            "feedback": st.sampled_from(["POSITIVE", "VERY_NEGATIVE", ""]),
            "recall_id": RECALL_ID,
            "query": TEXT,
            "items": st.lists(
                st.builds(lambda one: {"memory_id": one, "feedback": "NEGATIVE"}, ID), max_size=2
            ),
        },
    ),
    "update_memory": (
        {"memory_id": ID},
        {**SCOPE, "content": TEXT, "tags": st.just([]), "status": st.just("archived")},
    ),
    "forget": (
        {},
        {
            **SCOPE,
            "memory_id": ID,
            "filters": FILTERS,
            "confirm": st.booleans(),
            "purge": st.booleans(),
        },
    ),
    "get_memory": ({"memory_id": ID}, {**SCOPE, "history": st.booleans()}),
    "list_memories": (
        {},
        {
            **SCOPE,
            "filters": FILTERS,
            "cursor": st.sampled_from([("her cursor",), "", "e30="]),
            "limit": st.sampled_from([1, 200]),
            "order": st.sampled_from(["newest", "oldest"]),
            "tags": st.lists(NAME, max_size=2),
        },
    ),
}  # fmt: skip


@st.composite
def arguments(draw: Any, must: dict[str, Any], may: dict[str, Any]) -> dict[str, Any]:
    """Few at a time: with many, one of them is wrong, and hides what the others would do."""
    names = [*must, *draw(st.lists(st.sampled_from([*may]), max_size=3, unique=True))]
    return {name: draw({**must, **may}[name]) for name in names}


TOOL = st.one_of(
    *(
        st.tuples(st.just("tool"), st.just(name), arguments(must, may))
        for name, (must, may) in CALLS.items()
    )
)
URI = st.one_of(
    st.builds(lambda one: ("memory://memories/", one), ID),
    st.builds(lambda one: ("memory://lessons/", one), NAME),
    st.sampled_from(
        [("memory://stats", ""), ("memory://memories/", "../stats"), ("memory://users/", "victim"),
         ("memory://memories/", "x?user_id=victim"), ("memory://victim@memories/", "x")]
    ),
)  # fmt: skip
RESOURCE = st.tuples(st.just("resource"), URI)
PROMPT = st.tuples(
    st.just("prompt"),
    st.sampled_from(["start_task", "finish_task"]),
    st.fixed_dictionaries(
        {"task": TEXT}, optional={"task_type": NAME, "tags": NAME, "user_id": st.just("victim")}
    ),
)
COMPLETION = st.tuples(
    st.just("completion"),
    st.sampled_from(["task_type", "tool_name", "tags", "memory_id", "outcome", "user_id"]),
    st.one_of(st.sampled_from(["", "h", "her", "her-", "her_"]), NAME),
)
ATTACK = st.one_of(TOOL, TOOL, TOOL, RESOURCE, PROMPT, COMPLETION)


def filled(sent: Any, world: World, leaked: Leaked) -> Any:  # noqa: PLR0911 - a case each
    """Put into a call what it names."""
    match sent:
        case ("own id", number):
            return world.ids[number % len(world.ids)]
        case ("her id", number):
            return leaked.ids[number % len(leaked.ids)]
        case ("her prefix", number, length):
            return leaked.ids[number % len(leaked.ids)][:length]
        case ("own recall", number):
            return world.recalls[number % len(world.recalls)] if world.recalls else "r1"
        case ("her recall", number):
            return leaked.recalls[number % len(leaked.recalls)]
        case ("her cursor",):
            return leaked.cursor
        case dict():
            return {name: filled(value, world, leaked) for name, value in sent.items()}
        case list():
            return [filled(value, world, leaked) for value in sent]
    return sent


def spelled(attack: Any, world: World, leaked: Leaked) -> Any:
    kind, *rest = attack
    if kind == "resource":
        (start, end) = rest[0]
        return kind, start + str(filled(end, world, leaked))
    return kind, *(filled(each, world, leaked) for each in rest)


async def attacked(client: Client, attack: Any) -> Any:
    try:
        match attack:
            case ("tool", name, given):
                return await client.call_tool(name, given)
            case ("resource", uri):
                return await client.read_resource(uri)
            case ("prompt", name, given):
                return await client.get_prompt(name, given)
            case ("completion", name, value):
                whole = {"name": name, "value": value}
                ref = (
                    ResourceTemplateReference(uri="memory://lessons/{task_type}")
                    if name == "memory_id"
                    else PromptReference(name="start_task")
                )
                return await client.complete(ref, whole)
    except MCPError as error:
        return error.error
    raise AssertionError(attack)


WRITING = ("remember", "record_outcome", "give_feedback", "update_memory", "forget")
RANDOM = re.compile(r"\br?[0-9a-f]{6,32}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
"""Ids, also cut as texts for a model have them, and times."""


def learnt(answer: Any, world: World) -> tuple[str, str]:
    """Return all that an answer says, and the same without what is random in it."""
    content = getattr(answer, "structured_content", None) or {}
    cursor = content.get("next_cursor")
    whole = json.dumps(answer.model_dump(mode="json"), ensure_ascii=False)
    if cursor:
        whole = whole.replace(cursor, "CURSOR")
    if recall_id := content.get("recall_id"):
        world.recalls.append(recall_id)
    return whole, RANDOM.sub("RANDOM", whole.replace("\\n", "\n"))


def check(worlds: Worlds, attack: Any) -> None:
    answers, sent = [], ""
    for world in worlds.both:
        given = spelled(attack, world, worlds.leaked)
        sent += json.dumps(given)
        answer = world.portal.call(attacked, world.clients["attacker"], given)
        answers.append(learnt(answer, world))
    (whole, with_her), (_, without_her) = answers
    assert SECRET not in whole
    for one in (*worlds.leaked.ids, *worlds.leaked.recalls):
        assert one not in whole or one in sent  # an error says which id it is about
    assert with_her == without_her
    if attack[0] == "tool" and attack[1] in WRITING and not getattr(answer, "is_error", True):
        assert worlds.both[0].hers() == worlds.kept


def bounded(examples: int) -> Any:
    # What is stored grows from one to the next, so a failure is shown as it is, not made smaller.
    return settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@bounded(200)
@given(attack=ATTACK)
@pytest.mark.slow
def test_nothing_that_one_user_sends_reaches_another(worlds: Worlds, attack: Any):
    check(worlds, attack)


@pytest.mark.full
@bounded(3_000)
@given(attack=ATTACK)
def test_nothing_of_three_thousand_calls_reaches_another_user(worlds: Worlds, attack: Any):
    check(worlds, attack)
