"""Which word does this one hang on? Its sentence is hidden, and the last look is the answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.images import SPLITS, Split, check_split
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices
from glimpse_env.tasks.hidden_words import HiddenWords, Texts
from glimpse_env.tasks.orders import chosen_rows
from glimpse_env.tasks.records import State
from glimpse_env.treebanks import load_treebank, next_word, usual_offset

NEAR = 5
"""Words that an arc is long at most, unless it is a long one."""


class Arcs(HiddenWords):
    """Find the word that a word hangs on, in a sentence whose words are looked at one by one.

    ## Description
    A word is shown, and its sentence is hidden: "saw" in "the dog … saw a train" is what "dog" hangs on, and "dog" is
    what "the" hangs on. Each glimpse shows one word and, blurred, the words around: which occur within one word to either
    side, and within four, without their order. The last look is the answer: it is right on the head of the word, or on
    the word itself where that is the root of the sentence. Beside it the agent says how the word hangs there, such as
    "nsubj", which earns nothing. Sentences are those of Universal Dependencies: English ATIS or EWT (CC BY-SA 4.0); or,
    by default, made up of templates. The share of right heads is known as the unlabelled attachment score.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (1,), float32)` | the next fixation along the sentence, -1 its beginning, 1 its end: of n words number floor((location + 1) / 2 · n), from 0. With `saccades="relative"`, a step from the present location |
    | `answer` | `Discrete(relations)` | how the word hangs on its head |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `question` | `MultiDiscrete([vocabulary])` | the word that is asked about |
    | `tokens` | `MultiDiscrete([vocabulary])` | the fixated word |
    | `around` | `MultiDiscrete([vocabulary] * 12)` | the words within 1, then within 4 words of it, each in the order of their ids, padded with 0; of other `scales`, 3 + 9 + … |
    | `location` | `Box(-1, 1, (1,), float32)` | the middle of the fixated word |
    | `distance` | `Box(-n, n, (1,), float32)` | words from the one that is asked about to the fixated one |
    | `count` | `Box(1, n, (1,), float32)` | words of the sentence |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 at the end for a last fixation on the head, else 0. `info` has `target` (the relation; -1 for one that no training
    sentence has), `arc` (how long it is, a number of `group_names`), `hit` (whether the head was fixated so far), after a
    step `scored` and `correct` (whether the head is fixated), and at the end `is_success`.

    ## Starting State
    The word is a pure function of (seed, episode number), uniform over all words of the split. The first fixation is on
    it.

    ## Episode End
    `terminated` after `num_glimpses` steps: `reset` returns the first glimpse, and the last step's location is ignored.
    Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `treebank` | `"templates"` | or `"atis"`, `"ewt"`: files of Universal Dependencies |
    | `data` | `None` | the folder of the files, in place of GLIMPSE_DATA and the cache: with `treebank="ewt"`, your own in the CoNLL-U format, too |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: episode k is word k of the split |
    | `num_glimpses` | 4 | glimpses, and steps, of an episode: the word itself and three looks |
    | `scales` | 2 | of the blur around: 3, 9, … words |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `vocabulary`, `answers` | `None` | those of a trained agent |
    | `render_mode` | `None` | or `"ansi"`: `render()` shows the fixated words and the answer |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("data",)
    splits = SPLITS
    judges = True
    one_answer = False
    group_key = "arc"
    group_names = ("root", "to a neighbour", f"2 to {NEAR} words", f"over {NEAR} words")

    def __init__(
        self,
        backend: Backend,
        *,
        treebank: Literal["templates", "atis", "ewt"] = "templates",
        data: str | os.PathLike[str] | None = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        num_glimpses: int = 4,
        scales: int = 2,
        saccades: Literal["absolute", "relative"] = "absolute",
        vocabulary: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
    ) -> None:
        super().__init__(backend)
        check_choices(order=order)
        check_split(split)
        self.split: Split = split
        self.order = order
        self.bank = bank = load_treebank(treebank, data, vocabulary, answers)
        self.vocabulary, self.answer_names, self.source = bank.vocabulary, bank.relations, bank.source
        self.longest = bank.tokens.shape[1]
        sentence, place = np.nonzero((bank.head >= 0) & (bank.split == SPLITS.index(split))[:, None])
        if not len(sentence):
            raise ValueError(f"{self.source} has no {split} sentences")
        self.num_episodes = len(sentence)
        self.index, self.places = backend.asarray(sentence), backend.asarray(place)
        self.sentences, self.counts, self.heads, self.classes = (
            backend.asarray(column.astype(np.int64)) for column in (bank.tokens, bank.length, bank.head, bank.relation)
        )
        self.hide(num_glimpses, scales, saccades, known=True)

    def digest(self) -> str:  # noqa: D102
        return digest_of(*(part for part in self.bank if isinstance(part, np.ndarray)), self.split)

    def cheap_controls(self) -> dict[str, float]:
        """The next word, and the most frequent distance for the part of speech."""
        return {
            "the next word": next_word(self.bank, self.split),
            "the usual distance of the part of speech": usual_offset(self.bank, self.split),
        }

    def texts(self, seeds: Array, episodes: Array) -> Texts:  # noqa: D102
        xp, row = self.backend.xp, chosen_rows(seeds, episodes, len(self.places), self.order)
        sentence, place = self.index[row], self.places[row]
        tokens, head = self.sentences[sentence], self.heads[sentence, place]
        far = xp.abs(head - place)
        kind = xp.where(far > NEAR, 3, xp.where(far > 1, 2, far))
        asked = tokens[self.backend.rows(place.shape[0]), place]
        return Texts(tokens, self.counts[sentence], place, asked, self.classes[sentence, place], head[:, None], kind)

    def right(self, state: State, answer: Array) -> Array:
        """(N,) bool, whether the head is fixated."""
        return state["word"] == state["gold"][:, 0]

    def verdict(self, end: dict[str, int], tokens: np.ndarray, gold: np.ndarray) -> str:
        """The word that was looked at last, how it is said to hang there, and the head."""
        found, head = (self.words[tokens[place]] for place in (end["word"], int(gold[0])))
        said = f"{found}, {self.answer_names[end['answer']]}"
        return f"{said} ({'right' if end['word'] == gold[0] else f'wrong: {head}'})"
