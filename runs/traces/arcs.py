"""Arcs over a sentence: which word an agent found that each word hangs on."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from agents.evaluation import play
from glimpse_env.render import Colour
from glimpse_env.text import Vocabulary
from runs.traces.layout import INK, MUTED, SMALL, TRUTH, WIDTH, WRONG, above, blank, framed, label, paragraph
from runs.traces.lettering import text_width, write
from runs.traces.trace import array, lines_at, part_of

GAP, STEP, FOOT = 18, 22, 30
"""Pixels between words, from the height of an arc to that of the next longer one, and for the words themselves."""

CURVE = np.linspace(0, np.pi, 40)


class ReadSentence(NamedTuple):
    """The words of a sentence; of each the word that was found, and the one it hangs on, from 0: of the root itself."""

    words: tuple[str, ...]
    found: np.ndarray
    head: np.ndarray


def read_sentences(
    agent: Any, env: Any, first: int, sentences: int, *, seed: int = 0, gaze: str = "learned"
) -> list[ReadSentence]:
    """Play the words of whole sentences, each in an episode of its own, from the first sentence that begins at episode
    `first` or after it.

    Raises:
        ValueError: where an episode does not ask for a word of a text, one after the other.
    """
    task = env.unwrapped.task
    count, known = task.num_episodes or 0, env.unwrapped.story(seed, np.arange(1))
    if task.one_answer or known is None or known.aligned is not None:  # where the last look is no answer
        raise ValueError("--arcs draws whole sentences, of an agent of Glimpse/Arcs-v0")
    numbers = np.arange(first, min(first + (sentences + 1) * known.tokens.shape[1], count))
    if not len(numbers):
        raise ValueError(f"no sentence begins at episode {first} or after it: there are {count:,}")
    story = env.unwrapped.story(seed, numbers)
    starts = np.flatnonzero(lines_at(task, first_places(task, seed, numbers), story.count) == 0).tolist()
    ends = [*starts[1:], len(numbers)][:sentences]
    if not starts:
        raise ValueError(f"no sentence begins at episode {first} or after it: there are {count:,}")
    kept = numbers[starts[0] : ends[-1]]
    found = []
    for trajectory, rows in play(agent, env, kept, seed=seed, gaze=gaze):
        path = array(trajectory.path(part_of(task.roles, "place")))[:rows, -1, 0]
        found.append(lines_at(task, path, env.unwrapped.story(seed, trajectory.episodes).count[:rows]))
    last, words = np.concatenate(found), Vocabulary(env.metadata["words"]).words
    read = []
    for start, end in zip(starts, ends, strict=False):
        own = slice(start - starts[0], end - starts[0])
        tokens = story.tokens[start, : story.count[start], 0]
        read.append(ReadSentence(tuple(words[token] for token in tokens), last[own], story.support[start:end, 0]))
    return read


def first_places(task: Any, seed: int, episodes: np.ndarray) -> np.ndarray:
    """(N,) float32, where these episodes begin to look."""
    state = task.begin(task.backend.asarray(np.full_like(episodes, seed)), task.backend.asarray(episodes))
    return task.backend.to_numpy(task.observe(state)[part_of(task.roles, "place")])[:, 0]


def arcs_panel(sentence: ReadSentence) -> np.ndarray:
    """A sentence with an arc from each word to the one that was found: green where it is right. Below it, the arcs that
    were missed. The root has a stem."""
    widths = [text_width(word, SMALL) + GAP for word in sentence.words]
    middle = np.cumsum(widths) - np.array(widths) / 2 + GAP
    missed = sentence.found != sentence.head
    below = np.where(missed, sentence.head, np.arange(len(missed)))
    room = [STEP * (1 + level(arcs)) for arcs in (sentence.found, below)]
    top, bottom = room[0] + 10, room[1] + 4 if missed.any() else 6
    panel = blank(top + FOOT + bottom, int(sum(widths)) + 2 * GAP)
    for place, word in enumerate(sentence.words):
        colour = WRONG if missed[place] else TRUTH
        draw_arc(panel, middle, place, int(sentence.found[place]), top, -1, colour)
        if missed[place]:
            draw_arc(panel, middle, place, int(sentence.head[place]), top + FOOT, 1, MUTED)
        write(panel, word, middle[place], top + 21, SMALL, INK, align="centre")
    return panel


def level(heads: np.ndarray) -> int:
    """How many heights these arcs need."""
    return int(np.ceil(2 * np.sqrt(np.abs(heads - np.arange(len(heads))).max())))


def draw_arc(
    panel: np.ndarray, middle: np.ndarray, place: int, head: int, base: int, side: int, colour: Colour
) -> None:
    """An arc of half an ellipse between two words, upwards (-1) or downwards (1), with a dot where the word hangs."""
    if place == head:
        x = round(middle[place])
        cv2.line(panel, (x, base), (x, base + side * STEP), colour, 2, cv2.LINE_AA)
        cv2.circle(panel, (x, base + side * STEP), 4, colour, -1, cv2.LINE_AA)
        return
    start, end = middle[place], middle[head] + (5 if place > head else -5)  # so that arcs of both sides do not meet
    height = STEP * 2 * np.sqrt(abs(place - head)) - 4
    x = (start + end) / 2 - (end - start) / 2 * np.cos(CURVE)
    points = np.stack([x, base + side * height * np.sin(CURVE)], axis=1)
    cv2.polylines(panel, [np.round(points * 16).astype(np.int32)], False, colour, 2, cv2.LINE_AA, 4)
    cv2.circle(panel, (round(middle[place]), base), 3, colour, -1, cv2.LINE_AA)


def arcs_sheet(sentences: list[ReadSentence], title: str, subtitle: str) -> np.ndarray:
    """Sentences, one above the other."""
    right = sum(int((each.found == each.head).sum()) for each in sentences)
    counted = f"{right} of {sum(len(each.head) for each in sentences)} words right"
    heads = [label(title, 30, weight=600), paragraph(f"{subtitle}  ·  {counted}", WIDTH)]
    return framed(above([*heads, *map(arcs_panel, sentences)], 24), 24)
