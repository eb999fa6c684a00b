from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import mem_mcp

OURS = Path(mem_mcp.__file__).with_name("made_up.py")
CODE = "import warnings\ndef old(): warnings.warn('old', DeprecationWarning, stacklevel=2)\nold()"


def run(file: str | Path) -> None:
    exec(compile(CODE, str(file), "exec"), {"__name__": "made_up"})


def test_what_our_own_code_warns_of_is_an_error():
    with pytest.raises(DeprecationWarning, match="old"):
        run(OURS)


def test_what_a_dependency_warns_of_stays_a_warning_whomever_it_names():
    with pytest.warns(DeprecationWarning, match="old") as caught:
        run("/site-packages/dependency/made_up.py")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            run("/site-packages/dependency/made_up.py")
