"""The set of icons: every icon once, at its largest."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from runs.icon_set import CLASSES, SIZES, icon_set


@pytest.fixture
def theme(tmp_path: Path) -> Path:
    """A theme with a red icon at three sizes, a copy and a link of it, and a small blue one."""
    base = tmp_path / "base"
    for size in SIZES:
        for kind in CLASSES:
            (base / f"{size}x{size}" / kind).mkdir(parents=True)
    for size in (256, 128, 48):
        Image.new("RGB", (size, size), (255, 0, 0)).save(base / f"{size}x{size}" / "apps" / "red.png")
    (base / "256x256" / "places" / "copy.png").write_bytes((base / "256x256" / "apps" / "red.png").read_bytes())
    (base / "256x256" / "status" / "link.png").symlink_to(base / "256x256" / "apps" / "red.png")
    Image.new("RGB", (48, 48), (0, 0, 255)).save(base / "48x48" / "devices" / "blue.png")
    return base


def test_every_icon_is_there_once_at_its_largest(theme: Path, tmp_path: Path) -> None:
    counts = icon_set(theme, tmp_path / "icons")
    assert {kind: count for kind, count in counts.items() if count} == {"apps": 1, "devices": 1}
    found = {}
    for path in tmp_path.glob("icons/*/*.png"):
        with Image.open(path) as image:
            found[f"{path.parent.name}/{path.name}"] = image.size
    assert found == {"apps/red.png": (256, 256), "devices/blue.png": (48, 48)}


def test_what_is_no_theme_and_what_exists_is_refused(theme: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="oxygen-icon-theme"):
        icon_set(tmp_path, tmp_path / "icons")
    assert not (tmp_path / "icons").exists()
    icon_set(theme, tmp_path / "icons")
    with pytest.raises(FileExistsError):
        icon_set(theme, tmp_path / "icons")
