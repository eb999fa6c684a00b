"""mem-mcp token: make, list and revoke the tokens of the HTTP server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import BaseModel

from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import counted, day, one_line, show
from mem_mcp.config import load_settings
from mem_mcp.errors import InvalidInput
from mem_mcp.server.token_file import Token, TokenFile, scopes_of
from mem_mcp.times import local_zone, parse_time, utc_now

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens of the HTTP server.")

_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


class Described(BaseModel):
    """What may be shown of a token."""

    id: str
    user: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    is_expired: bool


class Created(Described):
    """A new token, whole."""

    token: str


class ListedTokens(BaseModel):
    """Several tokens."""

    tokens: list[Described]


class Revoked(BaseModel):
    """What was revoked."""

    revoked: int
    ids: list[str]


User = Annotated[str, typer.Option("--user", help="Whose memories it is for.")]


@app.command("create")
def create(
    user: User,
    scopes: Annotated[
        str,
        typer.Option(
            "--scopes",
            help="Of read, write, global (write what all users share), admin (see counts).",
        ),
    ] = "read,write",
    expires: Annotated[
        str, typer.Option("--expires", help="After 90d, 12h, 2w, or at a time; else never.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a token and show it, this once: only its hash is stored."""
    token, made = _file().create(user, scopes_of(scopes), _end(expires))
    described = Created(**_described(made).model_dump(), token=token)
    show(described, _created_lines, as_json=as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the tokens, without their texts."""
    show(ListedTokens(tokens=[*map(_described, _file().read())]), _lines, as_json=as_json)


@app.command("revoke")
def revoke(
    user: Annotated[str, typer.Option("--user", help="All tokens of a user.")] = "",
    token_id: Annotated[str, typer.Option("--id", help="One token, as list shows it.")] = "",
    as_json: Json = False,
) -> None:
    """Revoke tokens; a running server refuses them at once."""
    if bool(user) == bool(token_id):
        raise InvalidInput("revoke", "give either --user or --id")
    gone = _file().revoke(lambda token: token.user == user if user else token.id == token_id)
    if not gone:
        raise InvalidInput(
            "user" if user else "id",
            f"no token of {user or token_id!r}; mem-mcp token list shows them",
        )
    show(Revoked(revoked=len(gone), ids=[one.id for one in gone]), _gone_lines, as_json=as_json)


def _file() -> TokenFile:
    return TokenFile(load_settings().token_file)


def _end(expires: str) -> datetime | None:
    text = expires.strip().lower()
    if text in ("", "never"):
        return None
    if span := _SPAN.fullmatch(text):
        try:
            return utc_now() + int(span[1]) * _UNITS[span[2]]
        except OverflowError as error:
            raise InvalidInput("expires", f"{expires!r} is too long") from error
    try:
        zone = local_zone(load_settings().time_zone)
        return parse_time(expires, "expires", zone=zone, day="end").astimezone(UTC)
    except InvalidInput as error:
        raise InvalidInput(
            "expires", f"{expires!r} is no time; write 90d, 12h, 2w, or a date such as 2027-03-01"
        ) from error


def _described(token: Token) -> Described:
    return Described(
        id=token.id,
        user=token.user,
        scopes=list(token.scopes),
        created_at=token.created_at,
        expires_at=token.expires_at,
        is_expired=token.is_over(utc_now()),
    )


def _created_lines(token: Created) -> Iterator[str]:
    yield token.token
    yield f"for {one_line(token.user)}: {', '.join(token.scopes)}; {_until(token)}; id {token.id}"
    yield "Keep it: it is shown this once. Clients send it as Authorization: Bearer TOKEN."


def _lines(tokens: ListedTokens) -> Iterator[str]:
    if not tokens.tokens:
        yield "no tokens; mem-mcp token create --user NAME makes one"
    for one in tokens.tokens:
        yield f"{one.id}  {one_line(one.user)}  {','.join(one.scopes)}  {_until(one)}"


def _gone_lines(revoked: Revoked) -> Iterator[str]:
    yield f"{counted(revoked.revoked, 'token', 'tokens')} revoked"


def _until(token: Described) -> str:
    if token.expires_at is None:
        return "until it is revoked"
    return f"{'expired' if token.is_expired else 'until'} {day(token.expires_at)}"
