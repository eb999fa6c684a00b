"""mem-mcp install and uninstall: enter the server into the clients of this machine."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import typer
from pydantic import BaseModel

from mem_mcp import __version__
from mem_mcp.cli.commands import Json
from mem_mcp.cli.failure import message
from mem_mcp.cli.output import counted, show
from mem_mcp.cli.stdio_client import connected, reached
from mem_mcp.clients import install as steps
from mem_mcp.clients.edit import Unfit
from mem_mcp.clients.files import Changed
from mem_mcp.clients.install import EntryPlace, FileChange, Refused, Scope
from mem_mcp.clients.ledger import Installations
from mem_mcp.clients.machine import Machine, this_machine
from mem_mcp.clients.rows import ANY, CLIENTS, Client
from mem_mcp.clients.server import MemoryServer, local_server
from mem_mcp.config import load_settings
from mem_mcp.errors import InvalidInput, MemError

_ATTEMPTS = 5
"""A client that writes its file all the time leaves pauses."""
_BARE_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
"""The PATH of a program that a desktop starts."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_VERBS = {
    ("added", False): "added to",
    ("added", True): "would be added to",
    ("changed", False): "changed in",
    ("changed", True): "would be changed in",
    ("removed", False): "removed from",
    ("removed", True): "would be removed from",
    ("nothing", False): "is there already, in",
    ("nothing", True): "is there already, in",
    ("absent", False): "is not in",
    ("absent", True): "is not in",
}

Clients = Annotated[
    list[str] | None, typer.Argument(metavar="CLIENT", help="Such as cursor; --list names all.")
]
ScopeOption = Annotated[
    str, typer.Option("--scope", metavar="user|project", help="Your file, or this project's.")
]
Name = Annotated[str, typer.Option("--name", help="What it is called there; default: memory.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be changed.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
All = Annotated[bool, typer.Option("--all", help="Every client that is found here.")]


Did = Literal["added", "changed", "nothing", "removed", "absent", "failed"]
"""nothing: it was there already; absent: it was not there to be removed."""


class Done(BaseModel):
    """What was done to one file, or why nothing was."""

    client: str
    path: str
    name: str
    did: Did
    is_dry_run: bool
    difference: str = ""
    reload: str = ""
    error: str = ""


class InstallReport(BaseModel):
    """What was done to all files."""

    done: list[Done]
    start: str = ""
    """How the server started, or why that was not tried; empty if it did not start."""
    start_error: str = ""
    notes: list[str] = []


class Seen(BaseModel):
    """A client, and whether the server is in its file."""

    client: str
    title: str
    is_here: bool
    path: str
    state: Literal["no", "yes", "by hand", "unreadable"]


class KnownClients(BaseModel):
    """All clients that are known."""

    clients: list[Seen]


def install(
    clients: Clients = None,
    scope: ScopeOption = "user",
    name: Name = "",
    url: Annotated[
        str, typer.Option("--url", help="Address of a running server, instead of starting one.")
    ] = "",
    token_env: Annotated[
        str, typer.Option("--token-env", metavar="VARIABLE", help="Holds the token for --url.")
    ] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    every: All = False,
    listing: Annotated[
        bool, typer.Option("--list", help="List the clients, and which of them have it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Enter the server into a client such as cursor."""
    machine = this_machine()
    data_dir = load_settings().data_dir
    ledger = Installations(data_dir)
    if listing:
        seen = [one for client in CLIENTS for one in _seen(client, machine, ledger)]
        show(KnownClients(clients=seen), _listing, as_json=as_json)
        return
    where_to = _scope(scope)
    chosen = _chosen(clients, machine, every=every)
    server, notes = _server(machine, data_dir, url, token_env)
    if chosen == [ANY]:
        where = steps.place(ANY, Path("mcp.json"), name)
        typer.echo(steps.snippet(where, steps.entry_of(ANY, server, where.keys[-1])))
        return
    done = []
    for client in chosen:
        if where_to == "user" and not dry_run and not steps.is_here(client, machine):
            raise InvalidInput(
                "CLIENT", f"{client.title} is not on this machine; mem-mcp install --list shows all"
            )
        for path in steps.paths(client, machine, where_to):
            where = steps.place(client, path, name)
            job = _Job(where, ledger, machine, dry_run=dry_run, yes=yes)
            done.append(job.attempt(partial(job.put, server, where_to)))
    if where_to == "project" and server.command:
        notes = [*notes, f"{server.command} is of this machine; others of the project have theirs"]
    report = InstallReport(done=done, notes=notes)
    if not dry_run and any(one.did != "failed" for one in done):
        report.start, report.start_error = _start(server)
    show(report, _lines, as_json=as_json)
    _end(report)


def uninstall(
    clients: Clients = None,
    scope: ScopeOption = "user",
    name: Name = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Take out of a client what install put there."""
    machine = this_machine()
    ledger = Installations(load_settings().data_dir)
    done = []
    chosen = ledger.clients() if every and not clients else clients
    if every and not chosen:
        raise InvalidInput("--all", "install has put nothing anywhere that is still there")
    for client in _chosen(chosen, machine, every=every and chosen is clients):
        if client is ANY:
            raise InvalidInput("CLIENT", "json was only printed; take it out by hand")
        found = steps.installed(client, machine, _scope(scope), ledger)
        places = [one for one in found if name in ("", one.keys[-1])]
        for where in places or [
            steps.place(client, path, name) for path in steps.paths(client, machine, _scope(scope))
        ]:
            job = _Job(where, ledger, machine, dry_run=dry_run, yes=yes)
            done.append(job.attempt(job.take_out))
    report = InstallReport(done=done)
    show(report, _lines, as_json=as_json)
    _end(report)


class _Job:
    """The work at one entry of one file."""

    def __init__(
        self,
        where: EntryPlace,
        ledger: Installations,
        machine: Machine,
        *,
        dry_run: bool,
        yes: bool,
    ) -> None:
        self._where = where
        self._ledger = ledger
        self._machine = machine
        self._dry_run = dry_run
        self._yes = yes

    def attempt(self, work: Callable[[], Done]) -> Done:
        """Do some work; that it cannot be done is a result, as others are to be done."""
        for _ in range(_ATTEMPTS):
            try:
                return work()
            except Changed:
                continue
            except (MemError, OSError) as error:
                text = str(error) if isinstance(error, Refused) else message(error)
                return self._done("failed", error=text)
        return self._done("failed", error=f"{self._where.path}: is written to all the time")

    def put(self, server: MemoryServer, scope: Scope) -> Done:
        """Put the server into the file."""
        planned = steps.plan(self._where, server, self._ledger)
        if planned.state == "same":
            return self._done("nothing")
        name = self._where.keys[-1]
        if planned.others:
            self._ask(
                f"{self._where.path} has this server already, as {planned.others[0]}; with --name "
                f"{planned.others[0]} that is brought up to date. A second one offers every tool "
                "twice",
                "",
            )
        if planned.state == "different":
            self._ask(f"{self._where.path} has another {name}", planned.difference)
        did: Did = "added" if planned.found is None else "changed"
        if not self._dry_run:
            own = self._where.client.own
            command = own.on(self._machine) if own and scope == "user" else None
            if not (command and steps.carry_out_by(command, planned, server, self._ledger)):
                # The command may have written something.
                steps.carry_out(
                    steps.plan(self._where, server, self._ledger) if command else planned,
                    self._ledger,
                )
        return self._done(did, planned)

    def take_out(self) -> Done:
        """Take our entry out of the file."""
        planned = steps.plan_removal(self._where, self._ledger)
        if planned.state == "different":
            self._ask(
                f"{self._where.path}: {self._where.keys[-1]} is not as install put it there",
                planned.difference,
            )
        if not self._dry_run:
            own = self._where.client.own
            command = own.on(self._machine) if own else None
            steps.carry_out_removal(planned, self._ledger, command)
        return self._done("absent" if planned.state == "absent" else "removed", planned)

    def _ask(self, what: str, difference: str) -> None:
        """Ask whether to go on.

        Raises:
            MemError: no, or nobody can be asked.
        """
        if self._yes or self._dry_run:
            return
        if difference:
            typer.echo(difference, err=True)
        if not sys.stdin.isatty():
            raise MemError(f"{what}; say --yes if that is meant")
        if not typer.confirm(f"{what}. Go on?", err=True):
            raise MemError("nothing was changed")

    def _done(
        self,
        did: Did,
        planned: FileChange | None = None,
        error: str = "",
    ) -> Done:
        changes = did in ("added", "changed", "removed")
        return Done(
            client=self._where.client.name,
            path=str(self._where.path),
            name=self._where.keys[-1],
            did=did,
            is_dry_run=self._dry_run,
            difference=planned.difference if planned and self._dry_run else "",
            reload=self._where.client.reload if changes else "",
            error=error,
        )


def _chosen(names: list[str] | None, machine: Machine, *, every: bool) -> list[Client]:
    if every == bool(names):
        raise InvalidInput("CLIENT", "name one, or say --all; mem-mcp install --list shows them")
    if names:
        return [*dict.fromkeys(steps.client_named(name) for name in names)]
    found = [client for client in CLIENTS if steps.is_here(client, machine)]
    if not found:
        raise InvalidInput("--all", "no client was found here; mem-mcp install json prints one")
    return found


def _scope(text: str) -> Scope:
    for scope in get_args(Scope):
        if text.strip().lower() == scope:
            return scope  # type: ignore[no-any-return]
    raise InvalidInput("--scope", f"{text!r} is not user or project")


def _server(
    machine: Machine, data_dir: Path, url: str, token_env: str
) -> tuple[MemoryServer, list[str]]:
    if not url:
        if token_env:
            raise InvalidInput("--token-env", "goes with --url")
        return local_server(Path(sys.executable), __version__, data_dir, machine)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput("--url", f"{url!r} is no address; write http://127.0.0.1:8000/mcp")
    if token_env and not _VARIABLE.fullmatch(token_env):
        raise InvalidInput(
            "--token-env", "is the name of a variable, not the token itself: letters, digits and _"
        )
    return MemoryServer(url=url, token_variable=token_env), []


def _start(server: MemoryServer) -> tuple[str, str]:
    """Start or reach the server as clients will; return how that went, and what was wrong."""
    token = this_machine().variables.get(server.token_variable, "")
    if server.token_variable and not token:
        return f"not tried: {server.token_variable} is not set here", ""
    try:
        tools = asyncio.run(_tools(server, token))
    except (MemError, OSError) as error:
        more = (
            "is it running, and are address and token right?"
            if server.url
            else "mem-mcp doctor says more"
        )
        return "", f"it is entered, but {message(error)}; {more}"
    did = "reached" if server.url else "started"
    return f"{did} as a client does: {counted(tools, 'tool', 'tools')}", ""


async def _tools(server: MemoryServer, token: str) -> int:
    if server.url:
        async with reached(server.url, token) as client:
            return len((await client.list_tools()).tools)
    path = {} if this_machine().system == "windows" else {"PATH": _BARE_PATH}
    command = [server.command, *server.arguments]
    async with connected({**path, **server.variables}, command) as client:
        return len((await client.list_tools()).tools)


def _seen(client: Client, machine: Machine, ledger: Installations) -> Iterator[Seen]:
    for path in steps.paths(client, machine, "user"):
        known = {"client": client.name, "title": client.title, "path": str(path)}
        here = steps.is_here(client, machine)
        try:
            state = steps.state_of(client, path, ledger)
        except (Unfit, OSError):
            yield Seen(**known, is_here=here, state="unreadable")
        else:
            yield Seen(**known, is_here=here, state=state)


def _listing(listed: KnownClients) -> Iterator[str]:
    words = {"no": "", "yes": "installed", "by hand": "by hand", "unreadable": "does not parse"}
    for here in (True, False):
        some = [one for one in listed.clients if one.is_here is here]
        if some:
            yield "found here" if here else "not found"
        for one in some:
            yield f"  {one.client:<16} {words[one.state]:<15} {one.path}".rstrip()


def _lines(report: InstallReport) -> Iterator[str]:
    for one in report.done:
        if one.error:
            typer.echo(f"mem-mcp: {one.client}: {one.error}", err=True)
            continue
        verb = _VERBS[one.did, one.is_dry_run]
        yield f"{one.client}: {one.name} {verb} {one.path}"
        if one.difference:
            yield one.difference
        if one.reload and not one.is_dry_run:
            yield f"  then: {one.reload}"
    for note in report.notes:
        yield f"note: {note}"
    if report.start:
        yield report.start
    if report.start_error:
        typer.echo(f"mem-mcp: {report.start_error}", err=True)


def _end(report: InstallReport) -> None:
    if report.start_error or any(one.error for one in report.done):
        raise typer.Exit(1)
