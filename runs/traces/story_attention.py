"""What agents attend to in stories, over many episodes: the lines that are seen, or recalled for the answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.trajectory import Trajectory
from glimpse_env.tasks.records import Story
from runs.traces.trace import array, last_correct, lines_at, story_of


class StoryAttention(NamedTuple):
    """Attention over the L lines of N stories in R turns: glimpses of a hidden story, or hops of the last recall.

    Attributes:
        weights: (N, R, L) float64, of sum 1 over the lines of a story (0 where none was recalled).
        on_story: (N, R) float64, what share of the attention that was; the rest was on the question.
        story: the stories, on the host.
        group: (N,) int64, the group of each episode.
        correct: (N,) bool, whether the last answer was right.
        hidden: whether the stories are hidden: then the turns are glimpses, and the environment chose the first.
        vocabulary: the words of the ids.
        answers: the names of the classes.
        group_key: what a group is called; "" where there are none.
    """

    weights: np.ndarray
    on_story: np.ndarray
    story: Story
    group: np.ndarray
    correct: np.ndarray
    hidden: bool
    vocabulary: tuple[str, ...]
    answers: tuple[str, ...]
    group_key: str

    def chosen(self) -> int:
        """The first turn, from 0, that was the agent's own choice."""
        return min(int(self.hidden), self.weights.shape[1] - 1)

    def evenly(self) -> np.ndarray:
        """(N, 1, L) float64, attention spread evenly over each story."""
        count = self.story.count[:, None]
        return ((np.arange(self.weights.shape[2]) < count) / count)[:, None]


def from_the_end(weights: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(R, L) mean attention by place from the end, the last line of each story first.

    Args:
        weights: (N, R, L) attention over lines.
        count: (N,) lines of each story.
    """
    places = count[:, None] - 1 - np.arange(weights.shape[2])
    turned = np.take_along_axis(weights, np.maximum(places, 0)[:, None], axis=2)
    return np.where(places[:, None] >= 0, turned, 0.0).mean(0) if len(weights) else weights.sum(0)


def around_support(weights: np.ndarray, support: np.ndarray, reach: int) -> np.ndarray:
    """(R, 2 reach + 1) mean attention by distance from the nearest supporting line, from `reach` lines before to after.

    Of two supporting lines as near, the earlier counts. Attention further away is left out; stories of which no
    supporting line is named are no part of the mean.

    Args:
        weights: (N, R, L) attention over lines.
        support: (N, F) supporting lines, padded with -1.
        reach: lines.
    """
    named = (support >= 0).any(1)
    weights, support = weights[named], support[named]
    result = np.zeros((weights.shape[1], 2 * reach + 1))
    if not len(weights):
        return result
    distance = np.arange(weights.shape[2])[:, None] - support[:, None]  # (N, L, F)
    far = np.iinfo(np.int64).max
    nearest = np.where(support[:, None] >= 0, np.abs(distance), far).argmin(-1)
    offset = np.take_along_axis(distance, nearest[..., None], axis=-1)[..., 0]
    for place in range(-reach, reach + 1):
        result[:, place + reach] = (weights * (offset == place)[:, None]).sum(-1).mean(0)
    return result


def on_words(weights: np.ndarray, tokens: np.ndarray, words: int) -> np.ndarray:
    """(words,) mean attention on the lines that hold each word, in [0, 1]: over stories and turns.

    Args:
        weights: (N, R, L) attention over lines.
        tokens: (N, L, W) ids, padded with 0.
        words: size of the vocabulary.
    """
    ids = np.sort(tokens, axis=-1)
    once = ids > 0
    once[..., 1:] &= ids[..., 1:] != ids[..., :-1]  # a word that a line holds twice counts once
    attention = np.broadcast_to(weights.mean(1)[..., None], ids.shape)
    return np.bincount(ids[once], attention[once], words) / max(1, len(weights))


def on_question_words(weights: np.ndarray, tokens: np.ndarray, question: np.ndarray) -> float:
    """Mean attention, in [0, 1], on lines that share a word with the question.

    Words that more than half of all lines hold ("the") do not count.

    Args:
        weights: (N, R, L) attention over lines.
        tokens: (N, L, W) ids, padded with 0.
        question: (N, W') ids, padded with 0.
    """
    lines = tokens[(tokens > 0).any(-1)]
    common = [word for word in np.unique(lines) if (lines == word).any(1).mean() > 0.5]
    rare = np.where(np.isin(question, common), 0, question)
    shared = ((tokens[..., None] == rare[:, None, None]) & (tokens > 0)[..., None]).any((2, 3))
    return float((weights.mean(1) * shared).sum(-1).mean())


class StoryLog:
    """Collects attention to the lines of stories: those of a hidden story that were seen, else those recalled.

    Pass it to `agents.evaluate` as the observer, or, where stories are read, trajectories with `watched`.

    Args:
        env: of stories, in the agent's own words.
        seed: of the environment.
    """

    def __init__(self, env: Any, seed: int) -> None:
        self.task, self.meta, self.seed = env.unwrapped.task, env.metadata, seed
        self.place = next((name for name, role in env.metadata["roles"].items() if role == "place"), None)
        self.parts: list[tuple[np.ndarray, ...]] = []

    def __call__(self, trajectory: Trajectory, kept: int) -> None:
        """Add the first `kept` rows.

        Raises:
            ValueError: for a task without stories, or a memory whose slots are not the lines of a story.
        """
        story = story_of(self.task, self.seed, trajectory.episodes)
        if story is None:
            raise ValueError(
                "heat maps are drawn over images and stories, and this environment shows neither: draw it with "
                "python -m runs.watch"
            )
        lines = story.tokens.shape[1]
        if self.place is None:
            attended = recalled_lines(trajectory, lines)
        else:
            location = array(trajectory.observations[self.place][..., 0])
            attended = np.eye(lines)[lines_at(self.task, location, story.count).T]
        total = attended.sum(-1)
        attended /= np.where(total > 0, total, 1)[..., None]
        correct = last_correct(trajectory)
        key = self.meta["group_key"]
        group = array(trajectory.info[key]) if key else np.zeros(len(correct), np.int64)
        self.parts.append(tuple(part[:kept] for part in (attended, total, *story, group, correct)))

    def attention(self) -> StoryAttention:
        """Of all episodes so far, one at least."""
        weights, on_story, *story, group, correct = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        words, answers, key = (self.meta[name] for name in ("words", "answer_names", "group_key"))
        hidden = self.place is not None
        return StoryAttention(weights, on_story, Story(*story), group, correct, hidden, words, answers, key)


def recalled_lines(trajectory: Trajectory, lines: int) -> np.ndarray:
    """(N, hops, lines) float64 read weights of each episode's last step, over the lines read before it.

    Raises:
        ValueError: for a memory whose slots do not hold one step each, or that was not watched.
    """
    watched = trajectory.watched
    if watched is None or watched.read is None or watched.step is None:
        raise ValueError(
            "the slots of this memory are not the lines of a story: heat maps over a story that is read need a memory "
            "such as episodic or hopfield; draw this one with python -m runs.watch"
        )
    last, step = array(trajectory.length - 1), array(watched.step)
    read = array(watched.read)[last, np.arange(len(last))]
    before = (step >= 0) & (step < last[:, None])  # the question itself is no line
    recalled = np.zeros((len(last), read.shape[1], lines + 1))
    np.put_along_axis(recalled, np.where(before, step, lines)[:, None].repeat(read.shape[1], 1), read, axis=2)
    return recalled[..., :lines]
