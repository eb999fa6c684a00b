"""Whose memories a measured store holds: some users of known size, one large one, and many small.

Every second memory belongs to OWNER. The others go to HUNDRED and THOUSAND, where the store is
large enough for them, and to users of a hundred memories each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OWNER = "owner"
HUNDRED = "hundred"
THOUSAND = "thousand"
RUN = 20
"""Messages of a run."""
BY_CALLS = 100_000
"""Memories that are remembered; those above are written to the store directly."""
TAGS: Mapping[int, str] = {k: f"one_in_{k}" for k in (10, 100, 1_000, 10_000)}
"""Tags that one memory in so many has, whoever it belongs to."""
_HUNDRED_FROM = 400
_THOUSAND_FROM = 4_000


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a memory belongs."""

    rank: int
    """Its number among its user's half of the store."""
    user_id: str

    @property
    def run_id(self) -> str:
        """Its run; of another user it is another run."""
        return f"run{self.rank // RUN}"

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return [tag for k, tag in TAGS.items() if self.rank % k == 0]


def spot(number: int, size: int) -> Spot:
    """Return where a memory of a store belongs.

    Args:
        number: of the memory, from 0.
        size: of the store.
    """
    rank = number // 2
    if number % 2 == 0:
        return Spot(rank, OWNER)
    if size >= _HUNDRED_FROM and rank < 100:  # noqa: PLR2004 - what its name says
        return Spot(rank, HUNDRED)
    if size >= _THOUSAND_FROM and rank < 1_100:  # noqa: PLR2004
        return Spot(rank, THOUSAND)
    return Spot(rank, f"user{rank // 100}")


def small_users(size: int) -> dict[str, str]:
    """Return the users of known size, smallest first, with a name for each."""
    users = {}
    if size >= _HUNDRED_FROM:
        users[HUNDRED] = "one user, 100 memories"
    if size >= _THOUSAND_FROM:
        users[THOUSAND] = "one user, 1,000 memories"
    return users


def usual_user(size: int) -> str:
    """Return the user that stands for most: the largest of known size."""
    return [OWNER, *small_users(size)][-1]
