"""The one tree of errors.

MemError                    whatever mem_mcp raises on purpose
├── InvalidInput            the caller's argument; `argument` names it
├── NotFound                no such memory for this caller
├── NotPermitted            the memory is there, but this caller may not change it
├── ConfigError             a setting
├── StoreError              the data directory or what is in it
│   └── WriteConflict       others kept changing the same memory
└── EmbedderUnavailable     no vectors can be made now

Messages are written for the caller: what was wrong, then what to do.
"""


class MemError(Exception):
    """Base of every error mem_mcp raises on purpose."""


class InvalidInput(MemError):
    """An argument was refused; nothing was stored."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument = argument


class NotFound(MemError):
    """No memory with this id is visible to the caller (another user's looks the same)."""

    def __init__(self, memory_id: str) -> None:
        super().__init__(
            f"memory_id: no memory {memory_id!r}; use an id that recall or list_memories returned"
        )
        self.memory_id = memory_id


class NotPermitted(MemError):
    """The caller sees the memory but may not change it."""


class ConfigError(MemError):
    """A setting is wrong; the message names it and what is allowed."""


class StoreError(MemError):
    """The store cannot be opened, read or written."""


class WriteConflict(StoreError):
    """Other writers kept winning the race for the same memory; the call may be repeated."""


class EmbedderUnavailable(MemError):
    """Vectors cannot be made at the moment; search by words still works."""
