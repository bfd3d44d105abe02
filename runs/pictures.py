"""Pictures of episodes: a contact sheet to look at in peace, and an animation, glimpse by glimpse."""

from __future__ import annotations

import cv2
import numpy as np

from glimpse_env.render import PATH_COLOUR, WINDOW_COLOURS, Colour
from runs.layout import (
    GROUND, INK, MUTED, OTHER, TRACK, TRUTH, WRONG, above, beside, blank, label, margin, verdict_mark
)  # fmt: skip
from runs.panels import (
    belief_columns,
    belief_rows,
    belief_width,
    number_panel,
    patch_side,
    patches_panel,
    scene_panel,
)
from runs.traces import Trace

FRAME = 300
"""The longer side of a scene in a contact sheet, in pixels."""

CELL = 252
"""The same in an animation."""

HOLD = 2.5
"""Seconds for which an animation shows the outcome before it begins again."""


def contact_sheet(traces: list[Trace], title: str = "", subtitle: str = "") -> np.ndarray:
    """Episodes from top to bottom, their glimpses from left to right, each with the belief it led to.

    Args:
        traces: at least one.
        title: of the picture.
        subtitle: a quieter line below it.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: for no trace.
    """
    _check(traces)
    rows = [sheet_row(trace) for trace in traces]
    width = max(row.shape[1] for row in rows)
    parts = [_header(title, subtitle, width)]
    for number, row in enumerate(rows):
        if number:
            parts.append(blank(1, width, TRACK))
        parts.append(row)
    return margin(above(parts, 22), 32, 28)


def sheet_row(trace: Trace) -> np.ndarray:
    """One episode of a contact sheet."""
    steps = len(trace.path)
    scene = scene_panel(trace, steps, FRAME)
    side = patch_side(trace.retina.scales, 240)
    bars = belief_width(trace)
    columns = []
    for step in range(steps):
        patches = patches_panel(trace.glimpses[step], side)
        number = number_panel(step + 1, last=step == steps - 1)
        columns.append(
            above([number, patches, blank(4, max(bars, patches.shape[1])), belief_columns(trace, step, bars)], 6, "centre")
        )
    return beside([scene, beside(columns, 18), _outcome(trace)], 28)


def animation(traces: list[Trace], title: str = "", subtitle: str = "", *, seconds: float = 0.8) -> bytes:
    """Episodes side by side, a frame for each glimpse and one for the outcome, as an APNG that repeats for ever.

    Args:
        traces: at least one; shorter ones wait for the longest.
        title: of the picture.
        subtitle: a quieter line below it.
        seconds: for which a glimpse is shown.

    Raises:
        ValueError: for no trace.
    """
    frames = animation_frames(traces, title, subtitle)
    film = cv2.Animation()
    film.frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]
    film.durations = np.asarray([round(1000 * seconds)] * (len(frames) - 1) + [round(1000 * HOLD)], dtype=np.int32)
    done, content = cv2.imencodeanimation(".png", film)
    if not done:
        raise RuntimeError("OpenCV could not encode the animation")
    return bytes(content)


def animation_frames(traces: list[Trace], title: str = "", subtitle: str = "") -> list[np.ndarray]:
    """The frames of `animation`, (height, width, 3) uint8 RGB."""
    _check(traces)
    steps = max(len(trace.path) for trace in traces)
    across = 1 if len(traces) == 1 else 2 if len(traces) <= 6 else 3
    frames = []
    for step in range(steps + 1):
        tiles = [tile(trace, min(step, len(trace.path) - 1), reveal=step == steps) for trace in traces]
        rows = [beside(tiles[first : first + across], 48) for first in range(0, len(tiles), across)]
        grid = above(rows, 30)
        clock = _clock(min(step + 1, steps), steps)
        header = _header(title, subtitle, grid.shape[1])
        frames.append(margin(above([header, clock, grid], 20), 32, 28))
    return frames


def tile(trace: Trace, step: int, *, reveal: bool = False) -> np.ndarray:
    """One episode of an animation after glimpse `step`; with `reveal`, its outcome."""
    scene = scene_panel(trace, step + 1, CELL, reveal=reveal)
    patches = patches_panel(trace.glimpses[step], patch_side(trace.retina.scales, CELL))
    height = max(scene.shape[0], patches.shape[0])
    return beside([scene, patches, belief_rows(trace, step, 190, height)], 16)


def encode_png(picture: np.ndarray) -> bytes:
    """An RGB picture as PNG."""
    return bytes(cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1])


def _outcome(trace: Trace) -> np.ndarray:
    """What the agent answered, whether that is right, and what it was."""
    answer = int(trace.beliefs[-1].argmax())
    colour = TRUTH if trace.correct else WRONG
    size = 44 if len(trace.names[answer]) <= 2 else 18
    return above(
        [
            label("answer", 13, MUTED),
            beside([label(trace.names[answer], size, colour, 600), verdict_mark(trace.correct, 22)], 8, "centre"),
            blank(8, 110),
            label("truth", 13, MUTED),
            label(trace.names[trace.target], size, INK, 600),
            blank(8, 110),
            label("episode", 13, MUTED),
            label(f"{trace.episode:,}", 18, INK, 600),
        ],
        2,
    )


def _clock(done: int, steps: int) -> np.ndarray:
    """How many of the glimpses have been."""
    dots = blank(10, 16 * steps)
    for step in range(steps):
        cv2.circle(dots, (16 * step + 5, 5), 4, WINDOW_COLOURS[0] if step < done else TRACK, -1, cv2.LINE_AA)
    return beside([label(f"glimpse {done} of {steps}", 14, INK), dots], 12, "centre")


def _header(title: str, subtitle: str, width: int) -> np.ndarray:
    lines = [label(title, 24, INK, 600)] if title else []
    lines += [label(subtitle, 14, MUTED)] if subtitle else []
    legend = _legend()
    text = above(lines, 4) if lines else blank(1, 1)
    if text.shape[1] + legend.shape[1] + 40 > width:
        return above([text, legend], 10)
    return beside([text, blank(1, width - text.shape[1] - legend.shape[1]), legend], 0, "end")


def _legend() -> np.ndarray:
    """What the colours stand for."""
    meanings: list[tuple[str, Colour]] = [
        ("fixations", PATH_COLOUR),
        ("the present one", WINDOW_COLOURS[0]),
        ("truth", TRUTH),
        ("wrong answer", WRONG),
        ("other beliefs", OTHER),
    ]
    entries = []
    for text, colour in meanings:
        dot = blank(12, 12)
        cv2.circle(dot, (6, 6), 5, colour, -1, cv2.LINE_AA)
        entries.append(beside([dot, label(text, 13, MUTED)], 6, "centre"))
    return beside(entries, 18, "centre")


def _check(traces: list[Trace]) -> None:
    if not traces:
        raise ValueError("no traces to draw: record at least one episode")
