"""A gaze along the hidden words of a text: what a glimpse shows, where a look leads, and how it is drawn."""

from __future__ import annotations

from typing import Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import story_coverage
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices, check_counts
from glimpse_env.tasks.base import box
from glimpse_env.tasks.hidden_lines import HiddenLines
from glimpse_env.tasks.records import State
from glimpse_env.text import Vocabulary


class WordGlimpses(HiddenLines):
    """A hidden text whose words are fixated one at a time.

    A glimpse is a retina for text: the fixated word, and around it a periphery that gets coarser with distance, the
    words within the 3, the 9, … around, without their order. A state has `tokens`, `count`, `word` (the fixated one),
    `path` (the fixated ones so far) and `time`. A subclass sets `vocabulary`, `answer_names` and `horizon`, and calls
    `see`.
    """

    vocabulary: Vocabulary
    render_modes = ("ansi",)

    def see(
        self,
        scales: int,
        saccades: Literal["absolute", "relative"],
        longest: int,
        nearest: int,
        beside: tuple[str, ...] = (),
    ) -> None:
        """Set the spaces and roles.

        Args:
            scales: of the periphery.
            saccades: what a place of an action is.
            longest: words of a text, at most.
            nearest: the least distance of a word, from where distances are counted.
            beside: parts of an observation that show one word more each.

        Raises:
            ValueError: for a number or a choice out of its range.
        """
        check_counts(scales=scales)
        check_choices(saccades=saccades)
        if scales > 4:
            raise ValueError(f"scales must be 1 to 4 (3 to 81 words), got {scales}")
        self.scales, self.saccades, self.words = int(scales), saccades, self.vocabulary.words
        ids = len(self.vocabulary)
        word: tuple[str, spaces.Space] = ("tokens", spaces.MultiDiscrete([ids]))
        parts: dict[str, tuple[str, spaces.Space]] = {
            **dict.fromkeys((*beside, "tokens"), word),
            "around": ("around", spaces.MultiDiscrete([ids] * sum(spans_of(self.scales)))),
            "location": ("place", box(-1, 1, (1,))),
            "distance": ("values", box(nearest, longest, (1,))),
            "count": ("count", box(1, longest, (1,))),
            "time": ("clock", box(0, 1, (1,))),
        }
        self.roles = {name: role for name, (role, _) in parts.items()}
        self.observation_space = spaces.Dict({name: space for name, (_, space) in parts.items()})
        self.action_roles = {"location": "place" if saccades == "absolute" else "saccade", "answer": "class"}
        self.action_space = spaces.Dict(
            {"location": box(-1, 1, (1,)), "answer": spaces.Discrete(max(1, len(self.answer_names)))}
        )

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"vocabulary": self.words, "answers": self.answer_names}

    def glimpse(self, state: State, distance: Array) -> dict[str, Array]:
        """What is seen of the fixated word, which is so far, (N,) int64, from where distances are counted."""
        xp, rows = self.backend.xp, self.backend.rows(state["count"].shape[0])
        word, count = state["word"], state["count"]

        def column(value: Array) -> Array:
            return xp.astype(value, xp.float32)[:, None]

        time = column(state["time"])
        return {
            "tokens": state["tokens"][rows, word][:, None],
            "around": words_around(self.backend, state["tokens"], word, count, spans_of(self.scales)),
            "location": self.centre(word, count)[:, None],
            "distance": column(distance),
            "count": column(count),
            "time": time / xp.full_like(time, self.horizon),  # an array of divisors: see `Retina`
        }

    def looked_at(self, state: State, location: Array, terminated: Array) -> Array:
        """(N,) int64, the word that an action's location (N, 1) leads to, which `path` keeps; after the end, none."""
        place, time = location[:, 0], state["time"] + 1
        if self.saccades == "relative":
            place = self.centre(state["word"], state["count"]) + place
        word = self.backend.xp.where(terminated, state["word"], self.line_at(place.clip(-1.0, 1.0), state["count"]))
        state["path"][self.backend.rows(time.shape[0]), self.backend.clip(time, 0, self.horizon - 1)] = word
        return word

    def path_of(self, word: Array) -> Array:
        """(N, horizon) int64, the path that begins at these words (N,): -1 where nothing was fixated yet."""
        xp = self.backend.xp
        path = xp.full((word.shape[0], self.horizon), -1, dtype=xp.int64, device=self.backend.device)
        path[:, 0] = word
        return path

    def counted(self, seeds: Array, episodes: Array) -> Array:
        """(N,) int64, words of the texts of these episodes."""
        raise NotImplementedError

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy, and the share of the text's words that were fixated."""
        count = self.counted(*map(self.backend.asarray, (seeds, episodes)))
        covered = story_coverage(path, self.backend.to_numpy(count))
        return {**super().path_metrics(path, seeds, episodes), "attention/coverage": covered}

    def drawn(self, state: State, row: int) -> str:
        """The words that were fixated, the present one marked, and a dot for each other."""
        count, word = (int(state[key][row]) for key in ("count", "word"))
        seen = set(self.backend.to_numpy(state["path"][row]).tolist())
        tokens = self.backend.to_numpy(state["tokens"][row])[:count].tolist()
        shown = [self.words[token] if place in seen else "·" for place, token in enumerate(tokens)]
        shown[word] = f"[{shown[word]}]"
        return " ".join(shown)


def spans_of(scales: int) -> list[int]:
    """How many words each scale of the periphery holds: 3, 9, …"""
    return [3 ** (scale + 1) for scale in range(scales)]


def words_around(backend: Backend, tokens: Array, word: Array, count: Array, spans: list[int]) -> Array:
    """The words around the fixated one, of each scale in the order of their ids.

    Args:
        backend: that of the arrays.
        tokens: (N, L) int64, ids of the words, padded with 0.
        word: (N,) int64, the fixated one, from 0.
        count: (N,) int64, words of each text.
        spans: odd numbers, words of each scale.

    Returns:
        (N, 3 + 9 + …) int64, padded with 0.
    """
    xp, scales = backend.xp, []
    for span in spans:
        place = word[:, None] + xp.arange(-(span // 2), span // 2 + 1, device=backend.device)
        inside = (place >= 0) & (place < count[:, None])
        ids = xp.take_along_axis(tokens, xp.where(inside, place, 0), axis=1)
        scales.append(xp.sort(xp.where(inside, ids, 0), axis=1))
    return xp.concat(scales, axis=1)
