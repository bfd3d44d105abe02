"""What tasks share in which a text is hidden, and its words are fixated one at a time."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, NamedTuple

import numpy as np

from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_counts
from glimpse_env.tasks.records import Outcome, State, Story
from glimpse_env.tasks.word_glimpses import WordGlimpses


class Texts(NamedTuple):
    """The texts of N episodes.

    Attributes:
        tokens: (N, L) int64, ids of the words, padded with 0.
        count: (N,) int64, words of each text.
        place: (N,) int64, the word that is asked about, from 0.
        question: (N,) int64, the id of what is asked.
        target: (N,) int64, the class of the right answer, -1 where none is.
        gold: (N, F) int64, the words that the answer rests on, from 0, padded with -1.
        group: (N,) int64, the kind of each episode.
    """

    tokens: Array
    count: Array
    place: Array
    question: Array
    target: Array
    gold: Array
    group: Array


class HiddenWords(WordGlimpses):
    """A hidden text, a question about one of its words, and a gaze along its words.

    The first fixation is the word that is asked about, and distances are counted from it.

    A subclass sets `vocabulary`, `answer_names` and `longest`, calls `hide`, and writes the `texts` of episodes.
    """

    longest: int

    def hide(self, num_glimpses: int, scales: int, saccades: Literal["absolute", "relative"], known: bool) -> None:
        """Set the spaces and roles.

        Args:
            num_glimpses: steps of an episode, the first at the word that is asked about.
            scales: of the periphery.
            saccades: what a place of an action is.
            known: whether it is known what answers rest on, so that looks at it can be counted.

        Raises:
            ValueError: for a number out of its range.
        """
        check_counts(num_glimpses=num_glimpses)
        self.horizon = int(num_glimpses)
        self.see(scales, saccades, self.longest, -self.longest, beside=("question",))
        self.gazes = ("random", "nearest", "oracle") if saccades == "absolute" else ()
        self.episode_metrics = ("hit",) if known else ()

    @abstractmethod
    def texts(self, seeds: Array, episodes: Array) -> Texts:
        """What these episodes (N,) int64 are about."""

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, made = self.backend.xp, self.texts(seeds, episodes)
        zero, path = xp.zeros_like(made.count), self.path_of(made.place)
        return {**made._asdict(), "word": self.backend.copy(made.place), "path": path, "time": zero, "answer": zero - 1}

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        question = self.backend.copy(state["question"])[:, None]
        return {"question": question, **self.glimpse(state, state["word"] - state["place"])}

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, time = self.backend.xp, state["time"] + 1
        terminated = time >= self.horizon
        word = self.looked_at(state, action["location"], terminated)
        correct = self.right(state, action["answer"])
        reward = xp.astype(correct & terminated, xp.float32)
        after = {**state, "word": word, "time": time, "answer": self.backend.copy(action["answer"])}
        return Outcome(after, reward, terminated, {**self.info(after), "scored": terminated, "correct": correct})

    def right(self, state: State, answer: Array) -> Array:
        """(N,) bool, whether the episode is right so far: here, whether the answer is."""
        return answer == state["target"]

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        found = {"target": self.backend.copy(state["target"])}
        if self.group_key:
            found[self.group_key] = self.backend.copy(state["group"])
        return {**found, "hit": self.share_seen(state["gold"], state["path"])} if self.episode_metrics else found

    def story(self, seeds: Array, episodes: Array) -> Story:
        """The text as a story, each word of which is a line."""
        made = self.texts(seeds, episodes)
        return Story(made.tokens[..., None], made.count, made.question[:, None], made.gold, made.target)

    def groups(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self.texts(seeds, episodes).group if self.group_key else super().groups(seeds, episodes)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "nearest": the next word, the one before, the next but one, …; the "oracle": the words that the answer rests
        on in turn."""
        xp, made = self.backend.xp, self.texts(seeds, episodes)
        step = self.backend.rows(self.horizon)[None, 1:]
        if name == "nearest":
            word = made.place[:, None] + xp.where(step % 2 == 1, (step + 1) // 2, -(step // 2))
        else:
            named = xp.sum(xp.astype(made.gold >= 0, xp.int64), axis=1)[:, None]
            turn = (step - 1) % self.backend.clip(named, 1, None)
            word = xp.where(named > 0, xp.take_along_axis(made.gold, turn, axis=1), made.place[:, None])
        count = made.count[:, None]
        return self.centre(xp.minimum(self.backend.clip(word, 0, None), count - 1), count)[..., None]

    def counted(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self.texts(seeds, episodes).count

    def render(self, state: State, row: int, mode: str) -> str:
        """The words that were fixated, the present one marked, a dot for each other; and at the end the answer."""
        time, asked = int(state["time"][row]), self.words[int(state["question"][row])]
        lines = [f"{asked}? glimpse {min(time + 1, self.horizon)} of {self.horizon}", self.drawn(state, row)]
        if time >= self.horizon:
            end = {key: int(state[key][row]) for key in ("answer", "target", "word")}
            tokens, gold = (self.backend.to_numpy(state[key][row]) for key in ("tokens", "gold"))
            lines.append(self.verdict(end, tokens, gold))
        return "\n".join(lines)

    def verdict(self, end: dict[str, int], tokens: np.ndarray, gold: np.ndarray) -> str:
        """The end of an episode in words.

        Args:
            end: `answer`, `target` and `word`, the fixated one.
            tokens: (L,) int64, of the text, padded with 0.
            gold: (F,) int64, the words that the answer rests on.
        """
        answer, target = end["answer"], end["target"]
        right = self.answer_names[target] if target >= 0 else "what is not among the answers"
        return f"{self.answer_names[answer]} ({'right' if answer == target else f'wrong: {right}'})"
