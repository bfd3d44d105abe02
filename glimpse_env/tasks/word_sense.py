"""Which sense has a word here? Its sentence is hidden, and a few of its words may be looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.images import SPLITS, Split, check_split
from glimpse_env.planted_senses import LENGTH, plant
from glimpse_env.rng import Array, draw_words, uniform
from glimpse_env.sense_controls import most_frequent, neighbours
from glimpse_env.senses import load_senses
from glimpse_env.tasks.arguments import check_choices, checked_ends
from glimpse_env.tasks.hidden_words import HiddenWords, Texts
from glimpse_env.tasks.orders import chosen_rows
from glimpse_env.text import UNKNOWN

HIDE_STREAM = 3
"""The random stream of the words that are made unknown; stream 0 chooses the sentence."""


class WordSense(HiddenWords):
    """Tell which sense a word has, from a few words of its sentence.

    ## Description
    A word with several senses is shown, and its sentence is hidden. Each glimpse shows one word of it and, blurred, the
    words around: which occur within one word to either side, and within four, without their order. The last answer is
    scored. Real sentences are those of Wikipedia homographs (Gorman et al. 2018: how is the word pronounced?), of NOAD
    (Yuan et al. 2016) and of CoarseWSD-20 (Loureiro et al. 2021; not for commercial use): there the scripted gaze "oracle"
    looks at the words that speak most for the right sense by the other training sentences. With `words="planted"`, the
    default, sentences are made up: a single word at a known distance tells the sense, and all others tell nothing.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (1,), float32)` | the next fixation along the sentence, -1 its beginning, 1 its end: of n words number floor((location + 1) / 2 · n), from 0. With `saccades="relative"`, a step from the present location |
    | `answer` | `Discrete(senses of all words)` | the present answer |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `question` | `MultiDiscrete([vocabulary])` | the word that is asked about, in its plain form |
    | `tokens` | `MultiDiscrete([vocabulary])` | the fixated word |
    | `around` | `MultiDiscrete([vocabulary] * 12)` | the words within 1, then within 4 words of it, each in the order of their ids, padded with 0; of other `scales`, 3 + 9 + … |
    | `location` | `Box(-1, 1, (1,), float32)` | the middle of the fixated word |
    | `distance` | `Box(-n, n, (1,), float32)` | words from the one that is asked about to the fixated one |
    | `count` | `Box(1, n, (1,), float32)` | words of the sentence |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has `target` (the sense; -1 for one that no training sentence
    has), `word` (the number of the ambiguous word), after a step `scored` and `correct`, and at the end `is_success`; with
    planted clues also `hit` (whether the clue was fixated so far).

    ## Starting State
    The sentence is a pure function of (seed, episode number), uniform over those of the split. The first fixation is the
    word that is asked about.

    ## Episode End
    `terminated` after `num_glimpses` steps: `reset` returns the first glimpse, and the last step's answer is scored (its
    location is ignored). Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `words` | `"planted"` | or `"homographs"`, `"noad"`, `"coarse"`: files of these names |
    | `distance` | (1, 12) | of planted clues, in words: the least and the most; or one number |
    | `data` | `None` | a file, or the folder of the files, in place of GLIMPSE_DATA and the cache; for `"noad"` any table of the columns lemma, sense, index (of the word), tokens and, where there are splits, split |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: episode k is sentence k of the split |
    | `unknown` | 0 | in training, the share of the words of a sentence that are made unknown, all but the one asked about |
    | `num_glimpses` | 5 | glimpses, and steps, of an episode: the word itself and four looks |
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
    variety = ("unknown",)
    group_key = "word"

    def __init__(
        self,
        backend: Backend,
        *,
        words: Literal["planted", "homographs", "noad", "coarse"] = "planted",
        distance: int | Sequence[int] = (1, 12),
        data: str | os.PathLike[str] | None = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        unknown: float = 0.0,
        num_glimpses: int = 5,
        scales: int = 2,
        saccades: Literal["absolute", "relative"] = "absolute",
        vocabulary: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
    ) -> None:
        super().__init__(backend)
        check_choices(order=order)
        check_split(split)
        if not (isinstance(unknown, int | float | np.number) and 0 <= unknown <= 1):
            raise ValueError(f"unknown is a share from 0 to 1, got {unknown!r}")
        self.split: Split = split
        self.order, self.unknown = order, float(unknown) * (split == "train")
        if words == "planted":
            if data is not None:
                raise ValueError('words="planted" are made up: there is no data= to read')
            self.senses = senses = plant(checked_ends("distance", distance, 1, LENGTH // 2))
        else:
            self.senses = senses = load_senses(words, data, vocabulary, answers)
        self.vocabulary, self.answer_names, self.source = senses.vocabulary, senses.answers, senses.source
        self.longest, self.group_names = senses.tokens.shape[1], senses.words
        self.rows = np.flatnonzero(senses.split == SPLITS.index(split))
        if not len(self.rows):
            raise ValueError(f"{self.source} has no {split} sentences")
        self.num_episodes = len(self.rows)
        self.tokens, self.counts, self.places, self.asked, self.classes, self.clues = (
            backend.asarray(column[self.rows].astype(np.int64))
            for column in (senses.tokens, senses.length, senses.place, senses.word, senses.sense, senses.clues)
        )
        self.lemmas = backend.asarray(self.vocabulary.encode([word.lower() for word in senses.words]))
        self.hide(num_glimpses, scales, saccades, known=senses.planted)

    def digest(self) -> str:  # noqa: D102
        return digest_of(self.rows, *(part for part in self.senses if isinstance(part, np.ndarray)))

    def cheap_controls(self) -> dict[str, float]:
        """The most frequent sense, and naive Bayes over the two adjacent words and over six."""
        return {
            "most frequent sense": most_frequent(self.senses, self.split),
            "two adjacent words": neighbours(self.senses, self.split),
            "three words to either side": neighbours(self.senses, self.split, 3),
        }

    def texts(self, seeds: Array, episodes: Array) -> Texts:  # noqa: D102
        index = chosen_rows(seeds, episodes, len(self.rows), self.order)
        word, place, tokens = self.asked[index], self.places[index], self.tokens[index]
        if self.unknown:
            drawn = uniform(draw_words(seeds, episodes, tokens.shape[1], HIDE_STREAM))
            hidden = (drawn < self.unknown) & (self.backend.rows(tokens.shape[1])[None] != place[:, None])
            tokens = self.backend.xp.where(hidden & (tokens > 0), UNKNOWN, tokens)
        return Texts(tokens, self.counts[index], place, self.lemmas[word], self.classes[index], self.clues[index], word)
