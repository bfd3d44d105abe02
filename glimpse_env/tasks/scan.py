"""Carry out a command: its words are hidden, and each step looks at one of them and says an action."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from glimpse_env.backend import Backend
from glimpse_env.images import Split
from glimpse_env.scan import Partition, load_scan
from glimpse_env.tasks.arguments import check_same
from glimpse_env.tasks.word_by_word import WordByWord


class Scan(WordByWord):
    """Carry out a command such as "jump twice after walk around left", whose words are looked at one by one.

    ## Description
    Each command of up to nine words asks for up to 48 actions. Its words are hidden: a glimpse shows one, and, blurred, the
    words around: which occur within one word to either side, and within four, without their order. After the first
    `looks` steps an action is said at every step, and then "end". SCAN, of Lake & Baroni 2018, "Generalization without
    Systematicity", and its partitions, which ask for more than was trained. Which word names each action is known (the
    verb, or the side one turns to), so it can be counted how often the gaze rests there.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (1,), float32)` | the next fixation along the command, -1 its beginning, 1 its end: of n words number floor((location + 1) / 2 · n), from 0. With `saccades="relative"`, a step from the present location |
    | `answer` | `Discrete(7)` | walk, look, run, jump, turn left, turn right, end |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete([15])` | the fixated word |
    | `around` | `MultiDiscrete([15] * 12)` | the words within 1, then within 4 words of it, each in the order of their ids, padded with 0; of other `scales`, 3 + 9 + … |
    | `location` | `Box(-1, 1, (1,), float32)` | the middle of the fixated word |
    | `distance` | `Box(0, 9, (1,), float32)` | words from the first one to the fixated one |
    | `count` | `Box(1, 9, (1,), float32)` | words of the command |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the longest episode |

    ## Rewards
    Of n actions, 1 / (n + 1) for each that is said right in its turn, and for the end. `info` has at every step `target`
    (what is to be said at it, or first), `correct` (whether the answer is that; at the last step, whether all were),
    `scored` (at the last step), `words` (how long the answer is with its end, a number of `group_names`: up to 8, 16, …), `hit` (of the
    actions so far, the share at which the word that names them was fixated), and at the end `is_success`.

    ## Starting State
    The command is a pure function of (seed, episode number), uniform over those of the split. The first fixation is its
    middle word.

    ## Episode End
    `terminated` after `looks` + n + 1 steps, whatever was said. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `partition` | `"random"` | which commands are for the test: a fifth of all. `"simple"`: the same, as released, from its file; `"length"`: those of more than 22 actions; `"jump"`, `"turn_left"`: those with it, which in training stands alone; `"around_right"`: those with it |
    | `data` | `None` | the file of `"simple"`, or its folder, in place of GLIMPSE_DATA and the cache |
    | `split` | `"train"` | or `"validation"` (about a tenth of the training commands), `"test"` |
    | `order` | `"random"` | or `"sequential"`: episode k is command k of the split |
    | `actions` | `None` | the most actions of a command; None is all of them |
    | `looks` | 2 | steps before the first action is said |
    | `scales` | 2 | of the blur around: 3, 9, … words |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `vocabulary`, `answers` | `None` | those of a trained agent: the same |
    | `render_mode` | `None` | or `"ansi"`: `render()` shows the fixated words and what was said |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("data",)

    def __init__(
        self,
        backend: Backend,
        *,
        partition: Partition = "random",
        data: str | os.PathLike[str] | None = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        actions: int | None = None,
        looks: int = 2,
        scales: int = 2,
        saccades: Literal["absolute", "relative"] = "absolute",
        vocabulary: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
    ) -> None:
        super().__init__(backend)
        self.hide(load_scan(partition, data, actions), split, order, looks, scales, saccades)
        check_same("the commands of SCAN", vocabulary=(vocabulary, self.words), answers=(answers, self.answer_names))
