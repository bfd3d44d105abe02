"""Made-up pairs of texts that differ in one word, which changes what "it" means (Winograd's schema; Levesque 2011).

"the trophy does not fit into the suitcase . it is too large ." is about the trophy, with "small" about the suitcase.
Each frame comes in both orders, and both twins occur equally often: the nouns, their order and the last word alone tell
nothing. Between the two sentences there may be others, which are about something else.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from glimpse_env.images import SPLITS
from glimpse_env.read_only import read_only_arrays
from glimpse_env.rng import draw_words, integers
from glimpse_env.text import PADDING, Vocabulary

FRAMES = (
    ("the {0} does not fit into the {1} .", "it is too large .", "it is too small ."),
    ("the {1} cannot hold the {0} .", "it is too large .", "it is too small ."),
    ("the {0} crushed the {1} .", "it was very heavy .", "it was very weak ."),
    ("the {1} broke below the {0} .", "it was very heavy .", "it was very weak ."),
    ("the {0} passed the {1} .", "it moved so fast .", "it moved so slowly ."),
    ("the {1} was left behind by the {0} .", "it moved so fast .", "it moved so slowly ."),
    ("the {0} hides the {1} .", "it stands in front .", "it stands far behind ."),
    ("the {1} cannot be seen behind the {0} .", "it stands in front .", "it stands far behind ."),
    ("the {0} costs more than the {1} .", "it is quite new .", "it is quite old ."),
    ("the {1} is cheaper than the {0} .", "it is quite new .", "it is quite old ."),
)
"""A sentence about two things, and what is said then of the first ({0}) and of the second ({1})."""

FILLERS = (
    "the river is long .", "a bell rings .", "people walk home .", "rain falls again .", "the road is empty .",
    "a dog barks .", "lamps are lit .", "the train is late .",
)  # fmt: skip
"""What may stand between them."""

NOUNS = (
    "trophy", "box", "suitcase", "statue", "table", "shelf", "bus", "truck", "bicycle", "boat",
    "tree", "house", "tower", "tent", "piano", "chair", "lamp", "clock", "mirror", "basket",
    "bottle", "barrel", "crate", "cabinet", "ladder", "wagon", "sled", "carriage", "fence", "wall",
    "shed", "barn", "statuette", "vase", "jar", "chest", "drum", "globe", "sofa", "bench",
)  # fmt: skip
HELD_OUT = 8
"""The last nouns, which occur in the test alone; there, both are of these."""

MOST_FILLERS = 3

PAIRS = {"train": 20_000, "validation": 1_000, "test": 1_000}
"""Twins of each split."""

SEED = 2**41
"""Of the pairs."""


class Winograd(NamedTuple):
    """Texts, twins side by side; every array is read-only.

    Attributes:
        vocabulary: of the tokens.
        tokens: (S, L) int64, ids of the words, padded with 0.
        length: (S,) int64, words of each.
        place: (S,) int64, of "it", from 0.
        second: (S,) int64, 1 where it is the thing that is named second, else 0.
        gold: (S, 3) int64, what the answer rests on: the frame's first word beside the nouns, and both nouns in order.
        fillers: (S,) int64, sentences in between.
        split: (S,) int64, the row of `SPLITS`.
    """

    vocabulary: Vocabulary
    tokens: np.ndarray
    length: np.ndarray
    place: np.ndarray
    second: np.ndarray
    gold: np.ndarray
    fillers: np.ndarray
    split: np.ndarray


@functools.cache
def make_winograd() -> Winograd:
    """All texts, the same on every machine."""
    count = sum(PAIRS.values())
    drawn = draw_words(np.full(count, SEED), np.arange(count), 4 + MOST_FILLERS)
    split = np.repeat(np.arange(len(SPLITS)), [PAIRS[name] for name in SPLITS])
    texts, places, second, gold, fillers = [], [], [], [], []
    frames, between = integers(drawn[:, 0], len(FRAMES)), integers(drawn[:, 1], MOST_FILLERS + 1)
    for row in range(count):
        frame, *ends = FRAMES[frames[row]]
        known = len(NOUNS) - HELD_OUT
        names = NOUNS[known:] if SPLITS[split[row]] == "test" else NOUNS[:known]
        one = int(integers(drawn[row : row + 1, 2], len(names))[0])
        other = (one + 1 + int(integers(drawn[row : row + 1, 3], len(names) - 1)[0])) % len(names)
        first = frame.format(names[one], names[other]).split()
        which = integers(drawn[row, 4 : 4 + between[row]], len(FILLERS))
        middle = [word for number in which for word in FILLERS[number].split()]
        order = [first.index(names[one]), first.index(names[other])]
        telling = next(place for place in range(2, len(first)) if place not in order and first[place] != "the")
        for thing, end in enumerate(ends):
            texts.append([*first, *middle, *end.split()])
            places.append(len(first) + len(middle))
            second.append(int(order[thing] > order[1 - thing]))
            gold.append([telling, *sorted(order)])
            fillers.append(between[row])
    book = Vocabulary(sorted({word for text in texts for word in text}))
    longest = max(map(len, texts))
    made = Winograd(
        vocabulary=book,
        tokens=np.stack([book.encode(text, longest) for text in texts]),
        length=np.array([len(text) for text in texts]),
        place=np.array(places),
        second=np.array(second),
        gold=np.array(gold),
        fillers=np.array(fillers),
        split=np.repeat(split, 2),
    )
    read_only_arrays(made)
    return made


def last_word_rule(texts: Winograd, split: str) -> float:
    """Percent wrong of who knows the words of the last sentence, and not what came before: about half."""
    rows = np.flatnonzero(texts.split == SPLITS.index(split))
    known = np.flatnonzero(texts.split == SPLITS.index("train"))
    key = texts.tokens[np.arange(len(texts.tokens)), texts.length - 2]
    means = {word: texts.second[known][key[known] == word].mean() > 0.5 for word in np.unique(key) if word != PADDING}
    return 100 * float(np.mean([means[key[row]] != texts.second[row] for row in rows]))
