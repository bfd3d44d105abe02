"""Notices are said once, and paths name nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glimpse_env.notices import from_home, say_once


def test_a_notice_is_said_once(saying: Any) -> None:
    with saying("100% of it"):
        for _ in range(3):
            say_once("100% of it")


def test_a_path_in_ones_own_folder_does_not_say_whose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert from_home(tmp_path / "birds") == str(Path("~/birds"))
    assert from_home(tmp_path.parent / "birds") == str(tmp_path.parent / "birds")
    assert from_home("generator") == "generator"
