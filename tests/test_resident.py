from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lancedb  # noqa: F401 - code to give back
import pytest

from mem_mcp import resident

STATUS = Path("/proc/self/status")
ROOT = Path(resident.__file__).parents[1]
WITHOUT_REST_CLIENT = """
import sys
import mem_mcp.store
import lancedb
assert "lance_namespace_urllib3_client.api" not in sys.modules
from lance_namespace_urllib3_client.models import ListTablesResponse
import lance_namespace_urllib3_client
assert "lance_namespace_urllib3_client.api" not in sys.modules
assert lance_namespace_urllib3_client.TableApi
"""


def resident_kilobytes() -> int:
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells")
def test_what_is_given_back_is_not_held_and_everything_still_runs():
    resident.give_back()
    before = resident_kilobytes()
    resident.give_back()
    assert resident_kilobytes() <= before + 5_000
    assert max(str(number) for number in range(1_000)) == "999"


def test_nothing_is_given_back_where_the_system_offers_no_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resident, "_libc", lambda: None)
    resident.give_back()


def test_lancedb_is_imported_without_its_rest_client_which_is_there_when_asked_for():
    subprocess.run([sys.executable, "-c", WITHOUT_REST_CLIENT], check=True, cwd=ROOT)
