"""What does "it" mean? The text is hidden, and a few of its words may be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.images import SPLITS, Split, check_split
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices, check_same
from glimpse_env.tasks.hidden_words import HiddenWords, Texts
from glimpse_env.tasks.orders import chosen_rows
from glimpse_env.winograd import MOST_FILLERS, last_word_rule, make_winograd


class Pronoun(HiddenWords):
    """Tell which of two things "it" is, from a few words of a text.

    ## Description
    A sentence about two things, others about something else perhaps, and a last one about "it": "the trophy does not fit
    into the suitcase . a dog barks . it is too large ." The text is hidden; each glimpse shows one word and, blurred, the
    words around: which occur within one word to either side, and within four, without their order. The first fixation is
    on "it", and the last answer is scored. Each text has a twin that differs in one word and means the
    other thing (Winograd's schema; Levesque 2011); with `order="sequential"`, it is the next episode, or the one before.
    The share of pairs of which both are right (`runs.evaluate`) is at chance 25 %, and 0 for who does not see that word.
    Nouns of the test occur in no training text; of the validation texts, an eighth are also for training.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (1,), float32)` | the next fixation along the text, -1 its beginning, 1 its end: of n words number floor((location + 1) / 2 · n), from 0. With `saccades="relative"`, a step from the present location |
    | `answer` | `Discrete(2)` | the thing that is named first, or second |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `question` | `MultiDiscrete([vocabulary])` | "it" |
    | `tokens` | `MultiDiscrete([vocabulary])` | the fixated word |
    | `around` | `MultiDiscrete([vocabulary] * 12)` | the words within 1, then within 4 words of it, each in the order of their ids, padded with 0; of other `scales`, 3 + 9 + … |
    | `location` | `Box(-1, 1, (1,), float32)` | the middle of the fixated word |
    | `distance` | `Box(-n, n, (1,), float32)` | words from "it" to the fixated one |
    | `count` | `Box(1, n, (1,), float32)` | words of the text |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has `target`, `between` (how many other sentences there are),
    `hit` (the share of what the answer rests on that was fixated: both things, and what is said of them), after a step
    `scored` and `correct`, and at the end `is_success`.

    ## Starting State
    The text is a pure function of (seed, episode number), uniform over those of the split.

    ## Episode End
    `terminated` after `num_glimpses` steps: `reset` returns the first glimpse, and the last step's answer is scored (its
    location is ignored). Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: episode k is text k of the split |
    | `num_glimpses` | 5 | glimpses, and steps, of an episode: "it" and four looks |
    | `scales` | 2 | of the blur around: 3, 9, … words |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `vocabulary`, `answers` | `None` | those of a trained agent: the same |
    | `render_mode` | `None` | or `"ansi"`: `render()` shows the fixated words and the answer |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    splits = SPLITS
    twins = True
    group_key = "between"
    group_names = tuple(f"{count} between" for count in range(MOST_FILLERS + 1))
    answer_names = ("the first", "the second")

    def __init__(
        self,
        backend: Backend,
        *,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        num_glimpses: int = 5,
        scales: int = 2,
        saccades: Literal["absolute", "relative"] = "absolute",
        vocabulary: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
    ) -> None:
        super().__init__(backend)
        check_choices(order=order)
        check_split(split)
        self.split: Split = split
        self.order, self.made = order, make_winograd()
        self.vocabulary, self.longest = self.made.vocabulary, self.made.tokens.shape[1]
        check_same("these texts", vocabulary=(vocabulary, self.vocabulary.words), answers=(answers, self.answer_names))
        rows = np.flatnonzero(self.made.split == SPLITS.index(split))
        self.num_episodes = len(rows)
        made = self.made
        self.tokens, self.counts, self.places, self.second, self.gold, self.between = (
            backend.asarray(column[rows])
            for column in (made.tokens, made.length, made.place, made.second, made.gold, made.fillers)
        )
        self.hide(num_glimpses, scales, saccades, known=True)

    def digest(self) -> str:  # noqa: D102
        return digest_of(self.split, *self.made[1:])

    def cheap_controls(self) -> dict[str, float]:
        """The last sentence alone."""
        return {"the last sentence": last_word_rule(self.made, self.split)}

    def texts(self, seeds: Array, episodes: Array) -> Texts:  # noqa: D102
        row = chosen_rows(seeds, episodes, len(self.places), self.order)
        tokens, place = self.tokens[row], self.places[row]
        asked = tokens[self.backend.rows(place.shape[0]), place]
        return Texts(tokens, self.counts[row], place, asked, self.second[row], self.gold[row], self.between[row])
