"""Pictures of heat maps: panels in one colour scale a row, with a bar that says what the colours stand for."""

from __future__ import annotations

import cv2
import numpy as np

from runs.traces.fixations import Fixations, HeatMaps
from runs.traces.layout import (
    INK,
    MUTED,
    TRACK,
    above,
    beside,
    blank,
    framed,
    heading,
    label,
    shorten,
    text_width,
    write,
)

SIDE = 104
"""The longer side of a panel in pixels."""

ACROSS = 10
"""Panels side by side, at most."""

CLASSES = 30
"""Classes that are drawn, at most: those of the most episodes."""

GAP = 10

LEVELS = 40
"""Colours of a map: steps that the eye hardly sees, and a file less than half as large."""


def colours(shares: np.ndarray) -> np.ndarray:
    """RGB (…, 3) uint8 of shares in [0, 1] of a scale: from black over red to a light yellow, ever lighter."""
    steps = np.linspace(0, 255, LEVELS).round().astype(np.uint8)
    table = cv2.applyColorMap(steps[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1]
    return np.asarray(table[np.round(np.clip(shares, 0, 1) * (LEVELS - 1)).astype(int)])


def heat_panel(density: np.ndarray, top: float, shape: np.ndarray | None = None, side: int = SIDE) -> np.ndarray:
    """A map (h, w) whose values from 0 to `top` are shown as colours; the outline of a `shape` (h', w') upon it."""
    height, width = (max(24, round(edge * side / max(density.shape))) for edge in density.shape)
    smooth = cv2.resize(density / top if top > 0 else density, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = np.ascontiguousarray(colours(smooth))
    if shape is not None and shape.max() > 0:
        large = cv2.resize(shape / shape.max(), (width, height), interpolation=cv2.INTER_CUBIC)
        outlines, _ = cv2.findContours((large > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, INK, 1, cv2.LINE_AA)
    return framed(picture, 1, TRACK)


def colour_bar(top: float, height: int, unit: str = "×") -> np.ndarray:
    """What the colours stand for: a bar from 0 to `top`."""
    panel = blank(height, 24 + text_width(f"00.0 {unit}", 12))
    panel[:, :14] = colours(np.linspace(1, 0, height))[:, None]
    for value, y in ((top, 11), (top / 2, height / 2 + 4), (0.0, height - 1)):
        digits = 0 if value >= 10 or value == 0 else 1
        write(panel, f"{value:.{digits}f} {unit}" if value else "0", 20, y, 12, MUTED)
    return panel


def row(title: str, note: str, names: list[str], panels: list[np.ndarray], top: float) -> np.ndarray:
    """A titled row of named panels and their colour bar; broken into several where there are many."""
    named = [
        above([label(shorten(name, 13, panel.shape[1]), 13, MUTED), panel], 3, "centre")
        for name, panel in zip(names, panels, strict=True)
    ]
    lines = [beside(named[first : first + ACROSS], GAP) for first in range(0, len(named), ACROSS)]
    bar = above([label(" ", 13), colour_bar(top, panels[0].shape[0])], 3)
    return above([heading(title, note), beside([above(lines, GAP), bar], 16)], 4)


def heat_sheet(fixations: Fixations, maps: HeatMaps, title: str, subtitle: str) -> np.ndarray:
    """Where agents look: each glimpse and each class, on the canvas and over the image to be recognised.

    Args:
        fixations: of many episodes.
        maps: their `heat_maps`.
        title: of the picture.
        subtitle: a quieter line below it.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    steps = fixations.path.shape[1]
    glimpses = ["1 (given)", *(str(step) for step in range(2, steps + 1))]
    found = np.sort(np.argsort(-maps.episodes, kind="stable")[:CLASSES])
    found = found[maps.episodes[found] > 0]
    names = [fixations.names[index] for index in found]
    shapes = [fixations.shapes[index] for index in found]
    mean = np.average(fixations.shapes, axis=0, weights=maps.episodes)
    of_class = f"by class, glimpses 2 to {steps}"
    rows = []

    def add(title: str, note: str, names: list[str], densities: np.ndarray, scaled: slice, outlines: list) -> None:
        times = densities * densities[0].size
        top = float(times[scaled].max())
        panels = [heat_panel(density, top, shape) for density, shape in zip(times, outlines, strict=True)]
        rows.append(row(title, note, names, panels, top))

    every = slice(None)
    still = not fixations.moved()
    canvas = [mean if still else None] * steps
    add("On the canvas", "glimpse by glimpse", glimpses, maps.by_glimpse, slice(1, None), canvas)
    if not still:
        note = "the image to be recognised, wherever it lies; the outline is the mean of all classes"
        add("On the target", note, glimpses, maps.target_by_glimpse, slice(1, None), [mean] * steps)
    outlines = shapes if still else [None] * len(found)
    add("On the canvas", of_class, names, maps.by_class[found], every, outlines)
    if not still:
        note = of_class + "; the outline is the mean of the class"
        add("On the target", note, names, maps.target_by_class[found], every, shapes)
    scale = label("Colours: how many times as often as looks spread evenly over the map", 13, MUTED)
    return framed(above([label(title, 22, weight=600), label(subtitle, 14, MUTED), *rows, scale], 14), 24)
