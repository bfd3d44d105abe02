"""What tasks share in which a sentence is hidden, and each step looks at one of its words and says one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from glimpse_env.digest import digest_of
from glimpse_env.images import SPLITS, Split, check_split
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices, check_count
from glimpse_env.tasks.orders import chosen_rows
from glimpse_env.tasks.records import Outcome, State, Story
from glimpse_env.tasks.word_glimpses import WordGlimpses
from glimpse_env.word_pairs import WordPairs

BIN = 8
"""Words of an answer that make one group: answers of up to 8, up to 16, …"""


class WordByWord(WordGlimpses):
    """A hidden sentence, a gaze along its words, and an answer of many words, one a step after the first looks.

    The first fixation is the middle word, and distances are counted from the first one. What is said changes nothing but the reward, and an episode ends when all should have been said.

    A subclass calls `hide` with its sentences.
    """

    judges = True
    one_answer = False
    splits = SPLITS
    group_key = "words"
    episode_metrics = ("hit",)

    def hide(
        self,
        pairs: WordPairs,
        split: Split,
        order: Literal["random", "sequential"],
        looks: int,
        scales: int,
        saccades: Literal["absolute", "relative"],
    ) -> None:
        """Set the sentences, the spaces and the roles.

        Args:
            pairs: of all splits.
            split: whose sentences are shown.
            order: random, or one by one.
            looks: steps before the first word is said.
            scales: of the periphery.
            saccades: what a place of an action is.

        Raises:
            ValueError: for an argument out of its range, or a split without sentences.
        """
        check_count("looks", looks, 0)
        check_choices(order=order)
        self.rows = rows_of(pairs, split)
        self.pairs, self.order, self.num_episodes = pairs, order, len(self.rows)
        self.sentences, self.counts, self.said, self.totals, self.named = (
            self.backend.asarray(column[self.rows])
            for column in (pairs.tokens, pairs.length, pairs.said, pairs.due, pairs.named)
        )
        self.vocabulary, self.source = pairs.vocabulary, pairs.source
        self.answer_names, self.end = pairs.answers, len(pairs.answers) - 1
        most = pairs.said.shape[1]
        self.looks, self.horizon = int(looks), int(looks) + most
        self.see(scales, saccades, pairs.tokens.shape[1], 0)
        self.group_names = group_names(most)
        self.gazes = ("random", "sweep", "oracle") if saccades == "absolute" else ()

    def digest(self) -> str:  # noqa: D102
        return digest_of(self.rows, *(part for part in self.pairs if isinstance(part, np.ndarray)))

    def row(self, seeds: Array, episodes: Array) -> Array:
        """The sentence of each episode, (N,) int64, among those of the split."""
        return chosen_rows(seeds, episodes, len(self.rows), self.order)

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, row = self.backend.xp, self.row(seeds, episodes)
        count = self.counts[row]
        word = count // 2
        path = self.path_of(word)
        return {
            "tokens": self.sentences[row],
            "count": count,
            "target": self.said[row],
            "total": self.totals[row],
            "named": self.named[row],
            "word": word,
            "path": path,
            "time": xp.zeros_like(count),
            "answers": xp.full_like(path, self.end),
            "perfect": xp.ones_like(count, dtype=xp.bool),
        }

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        return self.glimpse(state, state["word"])

    def due(self, state: State) -> tuple[Array, Array]:
        """What is to be said at this step, or first, (N,) int64; and whether it is to be said now, (N,) bool."""
        turn = self.backend.clip(state["time"] - self.looks, 0, self.said.shape[1] - 1)
        return state["target"][self.backend.rows(turn.shape[0]), turn], state["time"] >= self.looks

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, rows = self.backend.xp, self.backend.rows(state["count"].shape[0])
        target, spoken = self.due(state)
        answer, time = action["answer"], state["time"] + 1
        right = answer == target
        perfect = state["perfect"] & (right | ~spoken)
        terminated = time >= self.looks + state["total"]
        word = self.looked_at(state, action["location"], terminated)
        state["answers"][rows, self.backend.clip(state["time"], 0, self.horizon - 1)] = answer
        reward = xp.astype(right & spoken, xp.float32) / xp.astype(state["total"], xp.float32)
        after = {**state, "word": word, "time": time, "perfect": perfect}
        correct = xp.where(terminated, perfect, right)
        info = {**self.info(after), "target": target, "scored": terminated, "correct": correct}
        return Outcome(after, reward, terminated, info)

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self.due(state)[0], "words": groups_of(state["total"]), "hit": self._hit(state)}

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """How long the answer of each episode is, (N,) int64: a number of `group_names`."""
        return groups_of(self.totals[self.row(seeds, episodes)])

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self.looks + self.totals[self.row(seeds, episodes)]

    def story(self, seeds: Array, episodes: Array) -> Story:
        """The sentence as a story, each word of which is a line; nothing is asked."""
        xp, row = self.backend.xp, self.row(seeds, episodes)
        named = self.named[row]
        silent = xp.full((row.shape[0], self.looks), -2, dtype=xp.int64, device=self.backend.device)
        inside = self.backend.rows(named.shape[1])[None] < self.totals[row][:, None]
        return Story(
            tokens=self.sentences[row][..., None],
            count=self.counts[row],
            question=xp.zeros_like(row)[:, None],
            support=named,
            target=xp.full_like(row, self.end),
            aligned=xp.concat([silent, xp.where(inside, named, -2)], axis=1),
        )

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "sweep": from the first word to the last, where it stays; the "oracle": what each word rests on as it is
        said, and before that what the first one does."""
        xp, row = self.backend.xp, self.row(seeds, episodes)
        count, step = self.counts[row][:, None], self.backend.rows(self.horizon)[None, 1:]
        if name == "sweep":
            word = xp.minimum(step - 1 + 0 * count, count - 1)
        else:
            # Where nothing is known of a word, the gaze stays where it was.
            named, places = self.named[row], []
            last = count[:, 0] // 2
            for turn in range(named.shape[1]):
                last = xp.where(named[:, turn] >= 0, named[:, turn], last)
                places.append(last)
            at = self.backend.clip(step - self.looks, 0, named.shape[1] - 1)
            word = xp.take(xp.stack(places, axis=1), at[0], axis=1)
        return self.centre(word, count)[..., None]

    def counted(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self.counts[self.row(seeds, episodes)]

    def render(self, state: State, row: int, mode: str) -> str:
        """The words that were fixated, the present one marked, a dot for each other; and what was said, and is right."""
        time, total = (int(state[key][row]) for key in ("time", "total"))
        lines = [f"step {min(time + 1, self.looks + total)} of at most {self.horizon}", self.drawn(state, row)]
        if time > self.looks:
            spoken = self.backend.to_numpy(state["answers"][row])[self.looks : time].tolist()
            lines.append(f"said:  {', '.join(self.answer_names[answer] for answer in spoken)}")
        if time >= self.looks + total:
            right = self.backend.to_numpy(state["target"][row])[:total].tolist()
            lines.append(f"right: {', '.join(self.answer_names[answer] for answer in right)}")
        return "\n".join(lines)

    def _hit(self, state: State) -> Array:
        """(N,) float64, of the words said so far that rest on a known one, the share at which that was fixated."""
        xp = self.backend.xp
        fixated = state["path"][:, self.looks :]
        turn = self.backend.rows(fixated.shape[1])[None]
        spoken = (state["named"] >= 0) & (turn < (state["time"] - self.looks)[:, None])
        hit = spoken & (fixated == state["named"])
        hits, all_ = (xp.astype(xp.sum(xp.astype(part, xp.int64), axis=1), xp.float64) for part in (hit, spoken))
        return hits / xp.where(all_ > 0, all_, 1.0)


def rows_of(pairs: WordPairs, split: Split) -> np.ndarray:
    """The numbers of the sentences of a split.

    Raises:
        ValueError: for an unknown one, or one without sentences.
    """
    check_split(split)
    rows = np.flatnonzero(pairs.split == SPLITS.index(split))
    if not len(rows):
        raise ValueError(f"{pairs.source or 'this task'} has no {split} sentences of these")
    return rows


def groups_of(total: Array) -> Array:
    """The group of answers of so many words, (N,) int64."""
    return (total - 1) // BIN


def group_names(most: int) -> tuple[str, ...]:
    """The names of the groups of answers of at most so many words."""
    return tuple(f"up to {BIN * (number + 1)}" for number in range(-(-most // BIN)))
