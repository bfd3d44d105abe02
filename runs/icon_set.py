"""A set of icons to classify, from an icon theme: `python -m runs.icon_set /usr/share/icons/oxygen/base icons`.

The theme is that of Debian's package `oxygen-icon-theme`. Its folders `<size>x<size>/<class>` hold the same icons at
many sizes, and links and copies among them. The set has every icon once, at its largest from 48 to 256 pixels.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import tyro

from runs.command_line import one_line_errors, run_script

SIZES = (256, 128, 64, 48)
CLASSES = ("actions", "apps", "devices", "mimetypes", "places", "status")


def icon_set(theme: tyro.conf.Positional[Path], out: tyro.conf.Positional[Path], /) -> dict[str, int]:
    """Copy the icons of a theme into class folders.

    Args:
        theme: Its folder, which holds 256x256, 128x128, 64x64 and 48x48.
        out: A folder that does not exist yet.

    Returns:
        How many icons there are of each class.

    Raises:
        FileNotFoundError: where there is no such theme.
        FileExistsError: where `out` exists.
    """
    counts, names, seen = dict.fromkeys(CLASSES, 0), set(), set()
    folders = [theme / f"{size}x{size}" / kind for size in SIZES for kind in CLASSES]
    if missing := [folder for folder in folders if not folder.is_dir()]:
        raise FileNotFoundError(
            f"there is no {missing[0]}: install Debian's oxygen-icon-theme, and name its folder base"
        )
    for kind in CLASSES:
        (out / kind).mkdir(parents=True)
    for folder in folders:
        for file in sorted(folder.glob("*.png")):
            content = hashlib.sha256(file.read_bytes()).digest()
            if file.is_symlink() or (folder.name, file.name) in names or content in seen:
                continue
            names.add((folder.name, file.name))
            seen.add(content)
            shutil.copyfile(file, out / folder.name / file.name)
            counts[folder.name] += 1
    return counts


def main() -> None:
    """The command line."""
    with one_line_errors():
        counts = tyro.cli(icon_set)
    print(f"{sum(counts.values()):,} icons: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")


if __name__ == "__main__":
    run_script(main)
