"""Pictures of heat maps: panels in one colour scale a row, with a bar that says what the colours stand for."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from runs.traces.fixations import Fixations, HeatMaps
from runs.traces.layout import INK, MUTED, TRACK, above, beside, blank, framed, grid, label, section, sheet
from runs.traces.lettering import shorten, text_width, write

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


def heat_panel(density: np.ndarray, top: float, shape: np.ndarray | None = None) -> np.ndarray:
    """A map (h, w) whose values from 0 to `top` are shown as colours; the outline of a `shape` (h', w') upon it."""
    height, width = (max(24, round(edge * SIDE / max(density.shape))) for edge in density.shape)
    smooth = cv2.resize(density / top if top > 0 else density, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = np.ascontiguousarray(colours(smooth))
    if shape is not None and shape.max() > 0:
        large = cv2.resize(shape / shape.max(), (width, height), interpolation=cv2.INTER_CUBIC)
        outlines, _ = cv2.findContours((large > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, INK, 1, cv2.LINE_AA)
    return framed(picture, 1, TRACK)


def colour_bar(top: float, height: int) -> np.ndarray:
    """What the colours stand for: a bar from 0 to `top`."""
    panel = blank(height, 24 + text_width("00.0 ×", 12))
    panel[:, :14] = colours(np.linspace(1, 0, height))[:, None]
    for value, y in ((top, 11), (top / 2, height / 2 + 4), (0.0, height - 1)):
        digits = 0 if value >= 10 or value == 0 else 1
        write(panel, f"{value:.{digits}f} ×" if value else "0", 20, y, 12, MUTED)
    return panel


def heat_sheet(env: Any, fixations: Fixations, maps: HeatMaps, title: str, subtitle: str) -> np.ndarray:
    """Where agents look: each glimpse and each class, on the canvas and over the image to be recognised.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    steps, shapes, moved = fixations.path.shape[1], env.unwrapped.task.class_shapes(), fixations.moved()
    glimpses = ["1 (given)", *(str(step) for step in range(2, steps + 1))]
    found = np.sort(np.argsort(-maps.episodes_by_class, kind="stable")[:CLASSES])
    found = found[maps.episodes_by_class[found] > 0]
    names = [maps.classes[index] for index in found]
    every, of_class, outlines = [], [], ["", ""]
    if shapes is not None:
        every = [np.average(shapes, axis=0, weights=maps.episodes_by_class)] * steps
        of_class = [shapes[index] for index in found]
        outlines = ["; the outline is the mean of all classes", "; the outline is the mean of the class"]
    on_canvas, on_target = "On the canvas", "On the target"
    note = f"the image to be recognised, wherever it lies{outlines[0]}"
    chosen = f"by class, glimpses 2 to {steps}"
    rows = [row(on_canvas, "glimpse by glimpse", glimpses, maps.by_glimpse, [] if moved else every, 1)]
    rows += [row(on_target, note, glimpses, maps.target_by_glimpse, every, 1)] if moved else []
    rows += [row(on_canvas, chosen, names, maps.by_class[found], [] if moved else of_class)]
    note = f"{chosen}{outlines[1]}"
    rows += [row(on_target, note, names, maps.target_by_class[found], of_class)] if moved else []
    scale = label("Colours: how many times as often as looks spread evenly over the map", 13, MUTED)
    return sheet(title, subtitle, [*rows, scale], 14)


def row(
    title: str, note: str, names: list[str], maps: np.ndarray, outlines: list[np.ndarray], first: int = 0
) -> np.ndarray:
    """A titled row of named densities (M, h, w), with outlines upon them or none; broken where there are many.

    All have one scale, up to the largest value of the maps from `first` on.
    """
    times = maps * maps[0].size
    top = float(times[first:].max())
    panels = []
    for index, name in enumerate(names):
        panel = heat_panel(times[index], top, outlines[index] if outlines else None)
        panels.append(above([label(shorten(name, 13, panel.shape[1]), 13, MUTED), panel], 3, "centre"))
    bar = above([label(" ", 13), colour_bar(top, panel.shape[0])], 3)
    return section(title, note, beside([grid(panels, ACROSS, GAP, GAP), bar], 16), 4)
