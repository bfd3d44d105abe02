"""What agents attend to in stories, over many episodes: the lines that are seen, or recalled for the answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.trajectory import Trajectory
from runs.traces.trace import array, last_correct, lines_at, part_of
from runs.traces.weights import over_steps

REACH = 5
"""Lines before and after a supporting line."""


class StoryAttention(NamedTuple):
    """Attention over the L lines of N stories in R turns: glimpses of a hidden story, or hops of the last recall.

    Attributes:
        weights: (N, R, L) float64, of sum 1 over the lines of a story (0 where none was recalled).
        on_story: (N, R) float64, what share of the attention that was; the rest was on the question.
        tokens, lines, question, support, target: of the stories, as `glimpse_env.tasks.records.Story` has them.
        group: (N,) int64, the group of each episode; 0 where there are none.
        correct: (N,) bool, whether the last answer was right.
    """

    weights: np.ndarray
    on_story: np.ndarray
    tokens: np.ndarray
    lines: np.ndarray
    question: np.ndarray
    support: np.ndarray
    target: np.ndarray
    group: np.ndarray
    correct: np.ndarray


def attention_of(env: Any, seed: int, trajectory: Trajectory) -> StoryAttention:
    """Attention in a batch, with `watched` where stories are read: to the lines that were seen, else to those recalled.

    Raises:
        ValueError: for a task without stories, or a memory whose slots are not the lines of a story.
    """
    task, key = env.unwrapped.task, env.metadata["group_key"]
    story, place = env.unwrapped.story(seed, trajectory.episodes), part_of(task.roles, "place")
    if story is None:
        raise ValueError(
            "heat maps are drawn of one image, of several that a memory holds, and of stories, and this is none of "
            "them: draw it with python -m runs.watch"
        )
    lines = story.tokens.shape[1]
    if place:
        location = array(trajectory.observations[place][..., 0])
        attended = np.eye(lines)[lines_at(task, location, story.count).T]
    else:
        attended = recalled_lines(trajectory, lines)
    total = attended.sum(-1)
    attended /= np.where(total > 0, total, 1)[..., None]
    group = array(trajectory.info[key]) if key else np.zeros(len(total), np.int64)
    return StoryAttention(
        attended, total, story.tokens, story.count, story.question, story.support, story.target, group,
        last_correct(trajectory),
    )  # fmt: skip


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
    return over_steps(read, np.where(step < last[:, None], step, -1), lines)  # the question itself is no line


class StoryMaps(NamedTuple):
    """Mean attention, in [0, 1], over many stories.

    Attributes:
        by_line: (R, L) of each turn, on the last line, the last but one, …
        by_support: (R, 2 reach + 1) of each turn, by distance from the nearest supporting line.
        evenly_by_support: (2 reach + 1,) the same for attention spread evenly over each story.
        by_class: (K, L) by the right answer, or by group where there are several: of the turns that the agent chose, on
            the last line, the last but one, …
        classes: the K names.
        words: (V,) on lines that hold each word of the vocabulary.
        evenly_words: (V,) the same for attention spread evenly.
        question: on lines that share a word with the question, and
        evenly_question: the same for attention spread evenly.
        on_story: (R,) share of each turn's attention that was on the story; the rest was on the question.
        vocabulary: the V words.
    """

    by_line: np.ndarray
    by_support: np.ndarray
    evenly_by_support: np.ndarray
    by_class: np.ndarray
    classes: tuple[str, ...]
    words: np.ndarray
    evenly_words: np.ndarray
    question: float
    evenly_question: float
    on_story: np.ndarray
    vocabulary: tuple[str, ...]


def story_maps(env: Any, attention: StoryAttention) -> StoryMaps:
    """Mean attention by place, around supporting lines, by class and by word."""
    weights, tokens, count, group = attention.weights, attention.tokens, attention.lines, attention.group
    vocabulary, names = env.metadata["words"], env.metadata["group_names"]
    chosen = weights[:, first_chosen(env, weights.shape[1]) :]
    evenly = ((np.arange(weights.shape[2]) < count[:, None]) / count[:, None])[:, None]
    if len(np.unique(group)) > 1:
        groups = {names[number]: group == number for number in np.unique(group)}
    else:
        groups = {name: attention.target == index for index, name in enumerate(env.metadata["answer_names"])}
    groups = {name: rows for name, rows in groups.items() if rows.any()}
    return StoryMaps(
        from_the_end(weights, count),
        around_support(weights, attention.support, REACH),
        around_support(evenly, attention.support, REACH)[0],
        np.stack([from_the_end(chosen[rows], count[rows]).mean(0) for rows in groups.values()]),
        tuple(groups),
        on_words(chosen, tokens, len(vocabulary)),
        on_words(evenly, tokens, len(vocabulary)),
        on_question_words(chosen, tokens, attention.question),
        on_question_words(evenly, tokens, attention.question),
        attention.on_story.mean(0),
        vocabulary,
    )


def first_chosen(env: Any, turns: int) -> int:
    """The first turn, from 0, that was the agent's own choice: of hidden stories the environment chooses the first."""
    return min(int("place" in env.metadata["roles"].values()), turns - 1)


def from_the_end(weights: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(R, L) mean of attention (N, R, L) by place from the end, the last of each story's `count` (N,) lines first."""
    places = count[:, None] - 1 - np.arange(weights.shape[2])
    turned = np.take_along_axis(weights, np.maximum(places, 0)[:, None], axis=2)
    return np.where(places[:, None] >= 0, turned, 0.0).mean(0) if len(weights) else weights.sum(0)


def around_support(weights: np.ndarray, support: np.ndarray, reach: int) -> np.ndarray:
    """(R, 2 reach + 1) mean attention by distance from the nearest supporting line, from `reach` lines before to after.

    Of two supporting lines as near, the earlier counts. Attention further away is left out; stories of which no
    supporting line is named are no part of the mean. `weights` is (N, R, L), and `support` (N, F), padded with -1.
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
    """(words,) mean of attention (N, R, L) on the lines that hold each word. Of tokens (N, L, W), 0 is no word."""
    ids = np.sort(tokens, axis=-1)
    once = ids > 0
    once[..., 1:] &= ids[..., 1:] != ids[..., :-1]  # a word that a line holds twice counts once
    attention = np.broadcast_to(weights.mean(1)[..., None], ids.shape)
    return np.bincount(ids[once], attention[once], words) / max(1, len(weights))


def on_question_words(weights: np.ndarray, tokens: np.ndarray, question: np.ndarray) -> float:
    """Mean of attention (N, R, L), in [0, 1], on lines that share a word with the question.

    Words that more than half of all lines hold ("the") do not count. Ids (N, L, W) and (N, W') are padded with 0.
    """
    lines = tokens[(tokens > 0).any(-1)]
    common = [word for word in np.unique(lines) if (lines == word).any(1).mean() > 0.5]
    rare = np.where(np.isin(question, common), 0, question)
    shared = ((tokens[..., None] == rare[:, None, None]) & (tokens > 0)[..., None]).any((2, 3))
    return float((weights.mean(1) * shared).sum(-1).mean())
