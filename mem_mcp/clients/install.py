"""Plan what is to be put into a client's file, or taken out of it, and do that."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mem_mcp.clients import files
from mem_mcp.clients.edit import Edit, Unfit, at
from mem_mcp.clients.formats import drop, format_of, put, undo
from mem_mcp.clients.ledger import Installations, Record
from mem_mcp.clients.machine import Machine
from mem_mcp.clients.own_command import OwnCommand, ran
from mem_mcp.clients.rows import ANY, CLIENTS, Client
from mem_mcp.clients.server import MemoryServer, Slot, starts_ours
from mem_mcp.errors import InvalidInput, MemError

Scope = Literal["user", "project"]
State = Literal["absent", "same", "earlier", "different"]
"""What is under our name: nothing, just this, what install put there, or something else."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Refused(MemError):
    """A file that is left as it is; the message says why, and what to write into it by hand."""


@dataclass(frozen=True)
class EntryPlace:
    """An entry of a client: the file, and the keys that lead to it."""

    client: Client
    path: Path
    keys: tuple[str, ...]


@dataclass(frozen=True)
class FileChange:
    """What is to be done to a file; nothing has been done yet."""

    place: EntryPlace
    state: State
    before: str | None
    """The file's text; None if there is no file."""
    after: str | None
    """What it is to be; None if it is to be removed."""
    entry: Mapping[str, Any]
    found: Any = None
    """What is under our name."""
    others: tuple[str, ...] = ()
    """Other names under which the file has this server."""
    edit: Edit | None = None
    record: Record | None = None
    """What the ledger says of the entry that is there."""

    @property
    def difference(self) -> str:
        """The change as lines of a unified diff."""
        name = str(self.place.path)
        before, after = ((text or "").splitlines() for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, fromfile=name, tofile=name, lineterm="")
        return "\n".join(lines)


def client_named(name: str) -> Client:
    """Return the client that a name means; case, blanks and hyphens do not matter.

    Raises:
        InvalidInput: there is none; the message names the nearest.
    """
    wanted = _plain(name)
    for client in (*CLIENTS, ANY):
        if wanted in map(_plain, (client.name, client.title, *client.also)):
            return client
    names = [client.name for client in CLIENTS]
    near = [one for one in names if wanted and _plain(one).startswith(wanted)]
    near = near or difflib.get_close_matches(name.lower(), names, n=2, cutoff=0.5)
    advice = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(names)}"
    raise InvalidInput("CLIENT", f"{name!r} is not known; {advice} For any other: install json")


def is_here(client: Client, machine: Machine) -> bool:
    """Return whether a client seems to be on the machine."""
    if any(machine.program(program) for program in client.programs):
        return True
    folders = [path for pattern in client.folders for path in machine.places(pattern)]
    files_ = [*_candidates(client, machine)]
    if client.is_told_by_place:
        folders += [path.parent for path in files_ if path.parent != machine.home]
    return any(folder.exists() for folder in folders) or any(path.exists() for path in files_)


def paths(client: Client, machine: Machine, scope: Scope) -> list[Path]:
    """Return the files that an entry goes to.

    Raises:
        InvalidInput: the client reads no file of a project, or we are in none.
    """
    if scope == "project":
        if not client.project:
            raise InvalidInput("--scope", f"{client.title} reads no file of a project; use user")
        if machine.folder == machine.home:
            raise InvalidInput("--scope", "this is your home folder; go to the project's")
        candidates = [machine.folder / name for name in client.project]
    else:
        candidates = _candidates(client, machine)
    if client.in_every_place and scope == "user":
        here = [path for path in candidates if path.parent.exists()]
        return here or candidates[-1:]
    first = next((path for path in candidates if path.exists()), None)
    first = first or next((path for path in candidates if path.parent.exists()), None)
    return [first or candidates[0]]


def place(client: Client, path: Path, name: str = "") -> EntryPlace:
    """Return where an entry of a name is in a file; without a name, of the client's usual one.

    Raises:
        InvalidInput: the name cannot be used.
    """
    name = name or client.server_name
    if not _NAME.fullmatch(name):
        raise InvalidInput("--name", f"{name!r}: up to 64 letters, digits, - and _ are allowed")
    if name in client.taken:
        raise InvalidInput("--name", f"{client.title} has something of its own named {name!r}")
    return EntryPlace(client, path, (*client.key, name))


def entry_of(client: Client, server: MemoryServer, name: str) -> dict[str, Any]:
    """Return the entry of a server in a client's form.

    Raises:
        InvalidInput: the client cannot reach a server in that way.
    """
    shape = client.http if server.url else client.stdio
    if shape is None:
        raise InvalidInput("--url", f"{client.title} only starts servers itself; leave it out")
    if server.token_variable and not client.variable and client is not ANY:
        raise InvalidInput(
            "--token-env", f"{client.title} reads no variables in its file; add the token yourself"
        )
    return server.entry(shape, name, client.variable or "${NAME}")


def snippet(where: EntryPlace, entry: Mapping[str, Any]) -> str:
    """Return a whole file that holds an entry alone."""
    return put(format_of(where.client.format), "", where.keys, entry).inserted.rstrip("\r\n")


def state_of(client: Client, path: Path, ledger: Installations) -> Literal["no", "yes", "by hand"]:
    """Return whether the server is in a client's file, and whether install put it there.

    Raises:
        Unfit: the file does not parse.
        OSError: it cannot be read.
    """
    servers = at(format_of(client.format).read(files.read(path) or ""), client.key)
    if not isinstance(servers, Mapping):
        return "no"
    if any(one.path == path and one.keys[-1] in servers for one in ledger.of(client.name)):
        return "yes"
    return "by hand" if any(map(starts_ours, servers.values())) else "no"


def plan(where: EntryPlace, server: MemoryServer, ledger: Installations) -> FileChange:
    """Plan to put a server into a file.

    Raises:
        InvalidInput: the client cannot reach such a server.
        Refused: the file cannot be changed safely.
    """
    name = where.keys[-1]
    entry = entry_of(where.client, server, name)
    form = format_of(where.client.format)
    try:
        before = files.read(where.path)
        text = before or ""
        tree = form.read(text)
        found = at(tree, where.keys)
        others = _others(at(tree, where.keys[:-1]), server, name)
        record = ledger.find(where.path, where.keys)
        known = {"found": found, "others": others, "record": record, "before": before}
        if found is not None and _serves(found, where.client, server, name):
            return FileChange(where, "same", after=before, entry=entry, **known)
        if record and found == record.entry:
            # What stood there before us is what uninstall is to bring back.
            earlier = undo(form, text, where.keys, record.edit) if record.inserted else None
            base = text if earlier is None else earlier
            edit = put(form, base, where.keys, entry)
            after = edit.applied(base)
            if earlier is None:
                edit = Edit(edit.start, "", edit.inserted)
            return FileChange(where, "earlier", after=after, entry=entry, edit=edit, **known)
        if starts_ours(found) and not server.url:
            entry = _completed(found, entry, where.client)
        edit = put(form, text, where.keys, entry)
        state: State = "absent" if found is None else "different"
        return FileChange(where, state, after=edit.applied(text), entry=entry, edit=edit, **known)
    except Unfit as error:
        raise _refused(where, error, entry) from error


def carry_out(planned: FileChange, ledger: Installations) -> None:
    """Write what was planned into the file.

    Raises:
        Refused: the file cannot be written.
        Changed: somebody else has written it since; plan again.
        OSError: it cannot be written.
    """
    where = planned.place
    if planned.edit is None or planned.after is None:
        return
    try:
        made = files.write(where.path, planned.after, planned.before)
    except Unfit as error:
        raise _refused(where, error, planned.entry) from error
    _note(planned, planned.edit, made, ledger)


def carry_out_by(
    command: OwnCommand, planned: FileChange, server: MemoryServer, ledger: Installations
) -> bool:
    """Let the client's own command do what was planned; return whether the file says it did.

    The file is what counts: the options of these commands vary by version.
    """
    where = planned.place
    line = command.adding(server, where.keys[-1])
    if planned.state != "absent" or server.url or not ran(line):
        return False
    form = format_of(where.client.format)
    try:
        text = files.read(where.path) or ""
        found = at(form.read(text), where.keys)
    except Unfit:
        return False
    if not isinstance(found, Mapping) or not _serves(found, where.client, server, where.keys[-1]):
        return False
    # What the command changed beside it is not ours to keep a copy of, or to take back.
    noted = replace(planned, entry=found, before=text)
    _note(noted, Edit(0, "", ""), [], ledger, is_by_command=True)
    return True


def _note(
    planned: FileChange,
    edit: Edit,
    made: list[Path],
    ledger: Installations,
    *,
    is_by_command: bool = False,
) -> None:
    where = planned.place
    earlier = planned.record if planned.state == "earlier" else None
    ledger.add(
        Record(
            client=where.client.name,
            path=where.path,
            keys=where.keys,
            entry=dict(planned.entry),
            start=edit.start,
            inserted=edit.inserted,
            removed=edit.removed,
            is_new_file=earlier.is_new_file if earlier else planned.before is None,
            made_folders=earlier.made_folders if earlier else made,
            is_by_command=is_by_command,
        )
    )


def installed(
    client: Client, machine: Machine, scope: Scope, ledger: Installations
) -> list[EntryPlace]:
    """Return the entries of a client that install made, wherever it keeps its file by now.

    Args:
        client: the client.
        machine: its machine.
        scope: of the user, or of the project in the current folder.
        ledger: of what was installed.
    """
    in_project = {machine.folder / name for name in client.project}
    return [
        EntryPlace(client, one.path, one.keys)
        for one in ledger.of(client.name)
        if (one.path in in_project) == (scope == "project")
        and (scope == "project" or not _is_in_some_project(one.path, client, machine))
    ]


def _is_in_some_project(path: Path, client: Client, machine: Machine) -> bool:
    named = any(path.match(name) for name in client.project)
    return named and path not in _candidates(client, machine)


def plan_removal(where: EntryPlace, ledger: Installations) -> FileChange:
    """Plan to take an entry out of a file.

    The state is `absent` if there is none, `earlier` if it is as install left it, and `different`
    if it was changed or made by somebody else.

    Raises:
        Refused: the file cannot be changed safely.
    """
    form = format_of(where.client.format)
    record = ledger.find(where.path, where.keys)
    try:
        before = files.read(where.path)
        text = before or ""
        found = at(form.read(text), where.keys)
        if before is None or found is None:
            return FileChange(where, "absent", before, before, {}, record=record)
        after = None
        if record and record.inserted:
            after = undo(form, text, where.keys, record.edit)
        if after is None:
            after = drop(form, text, where.keys)
    except Unfit as error:
        raise _refused(where, error, None) from error
    state: State = "earlier" if record and found == record.entry else "different"
    is_gone = record is not None and record.is_new_file and not after.strip()
    return FileChange(where, state, before, None if is_gone else after, {}, found, record=record)


def carry_out_removal(
    planned: FileChange, ledger: Installations, command: OwnCommand | None = None
) -> None:
    """Do what was planned; see `carry_out`.

    Args:
        planned: what `plan_removal` returned.
        ledger: of what was installed.
        command: the client's own, if it is here; takes out what it put in.
    """
    where = planned.place
    is_done = False
    if command and planned.state == "earlier" and planned.record and planned.record.is_by_command:
        ran(command.removing(where.keys[-1]))
        try:
            tree = format_of(where.client.format).read(files.read(where.path) or "")
            is_done = at(tree, where.keys) is None
        except Unfit:
            is_done = False
    if planned.state != "absent" and not is_done:
        try:
            if planned.after is None:
                files.remove(where.path, planned.record.made_folders if planned.record else [])
            else:
                files.write(where.path, planned.after, planned.before, keep_first=False)
                files.forget_backup(where.path, planned.after)
        except Unfit as error:
            raise _refused(where, error, None) from error
    ledger.remove(where.path, where.keys)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _candidates(client: Client, machine: Machine) -> list[Path]:
    moved = [path for pattern in client.moved_by for path in machine.places(pattern)]
    usual = client.places.get(machine.system, ())
    return moved or [path for pattern in usual for path in machine.places(pattern)]


def _given(shape: Mapping[str, Any]) -> list[str]:
    return [key for key, part in shape.items() if isinstance(part, Slot) and part is not Slot.NAME]


def _serves(found: Any, client: Client, server: MemoryServer, name: str) -> bool:  # noqa: ANN401
    """Return whether an entry does what ours would do; a user may have added to it."""
    if not isinstance(found, Mapping):
        return False
    wanted = entry_of(client, server, name)
    for key in _given((client.http if server.url else client.stdio) or {}):
        value = found.get(key)
        if isinstance(value, Mapping) and isinstance(wanted.get(key), Mapping):
            if not wanted[key].items() <= value.items():
                return False
        elif key in wanted and value != wanted[key]:
            return False
    return True


def _completed(found: Mapping[str, Any], entry: Mapping[str, Any], client: Client) -> Any:  # noqa: ANN401
    """Return our entry with what a user has added to his own one, variables among it."""
    merged = {**entry, **found, **{key: entry[key] for key in _given(client.stdio) if key in entry}}
    for key, part in client.stdio.items():
        if part is Slot.VARIABLES and isinstance(found.get(key), Mapping):
            merged[key] = {**found[key], **entry.get(key, {})}
    return merged


def _others(servers: Any, server: MemoryServer, name: str) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(servers, Mapping):
        return ()
    if server.url:
        same = [key for key, one in servers.items() if server.url in _texts(one)]
    else:
        same = [key for key, one in servers.items() if starts_ours(one)]
    return tuple(str(key) for key in same if key != name)


def _texts(entry: Any) -> list[Any]:  # noqa: ANN401
    return list(entry.values()) if isinstance(entry, Mapping) else []


def _refused(where: EntryPlace, error: Unfit, entry: Mapping[str, Any] | None) -> Refused:
    if entry is None:
        return Refused(f"{where.path}: {error}; it is left as it is: take the entry out by hand")
    try:
        shown = snippet(where, entry)
    except Unfit:  # pragma: no cover - an empty file takes any entry
        shown = json.dumps(entry)
    return Refused(f"{where.path}: {error}; it is left as it is. Add by hand:\n{shown}")
