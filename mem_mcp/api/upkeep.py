"""maintain and reprocess: their arguments."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from mem_mcp.api.arguments import FLAG
from mem_mcp.api.call import Check, Doc
from mem_mcp.api.progress import Progress


@dataclass(frozen=True)
class Maintain:
    """Archive what is due, compact the store and embed what has no vector.

    The server does that much by itself from time to time. What is archived comes back with
    update_memory.
    """

    _: KW_ONLY
    dry_run: Annotated[bool, FLAG, Doc("Only say what would be done; change nothing")] = False


@dataclass(frozen=True)
class Reprocess:
    """Let the language model read what had to wait for it, each exactly once."""

    _: KW_ONLY
    pending: Annotated[bool, FLAG, Doc("What was stored unread, for want of a model")] = True
    outcomes: Annotated[bool, FLAG, Doc("Also outcomes that a model judged, again")] = False
    on_progress: Annotated[Progress | None, Check(lambda value, _: value, {})] = None
