"""The commands of SCAN and what they ask for, made from the published grammar (Lake & Baroni 2018, arXiv 1711.00350).

"jump twice after walk around left" is: left, walk, four times; then jump, jump. Which word names each action is known:
the verb, or the side one turns to. The commands and four of the splits follow from rules, so no file is needed; the
release's own random split is read from its file.
"""

from __future__ import annotations

import functools
import itertools
import lzma
import os
import tarfile
import zlib
from numbers import Integral
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from glimpse_env.datasets import VARIABLE, release_folders
from glimpse_env.images import SPLITS
from glimpse_env.read_only import read_only_arrays
from glimpse_env.text import Vocabulary
from glimpse_env.word_pairs import WordPairs

Partition = Literal["random", "simple", "length", "jump", "turn_left", "around_right"]
PARTITIONS: tuple[Partition, ...] = ("random", "simple", "length", "jump", "turn_left", "around_right")

VERBS, SIDES = ("walk", "look", "run", "jump"), ("left", "right")
WORDS = (*VERBS, "turn", *SIDES, "opposite", "around", "twice", "thrice", "and", "after")
ACTIONS = (*VERBS, "turn left", "turn right", "end")
"""The symbols that are said; the last one ends an answer."""

TIMES = {"": 1, "twice": 2, "thrice": 3}

LONG = 22
"""Actions of the longest answer in training, of the split by length."""

REPEATED = 0.1
"""The share of the bare command in training and validation, together, of "jump" and of "turn_left"."""

VALIDATION_TENTH = 10
"""Of the training commands, one in so many is for validation."""

TEST_FIFTH = 5
"""Of all commands, one in so many is for the test of the random split."""

FOLDER, FILE, SIMPLE = "scan", "scan.tar.xz", "simple_split/tasks_{}_simple.txt"


class Command(NamedTuple):
    """A command, its actions (numbers of `ACTIONS`), and of each the word that names it, from 0."""

    words: tuple[str, ...]
    actions: tuple[int, ...]
    named: tuple[int, ...]


@functools.cache
def all_commands() -> tuple[Command, ...]:
    """The 20,910 commands, each with its interpretation."""
    phrases = [_phrase(verb, times) for verb in _verb_phrases() for times in TIMES]
    both = [
        _joined(first, word, second) for first, second in itertools.product(phrases, phrases) for word in WORDS[-2:]
    ]
    return (*phrases, *both)


def _verb_phrases() -> list[tuple[str, ...]]:
    turns = [
        (verb, *way, side) for verb in (*VERBS, "turn") for way in ((), ("opposite",), ("around",)) for side in SIDES
    ]
    return [*((verb,) for verb in VERBS), *turns]


def _phrase(words: tuple[str, ...], times: str) -> Command:
    """A verb phrase, once or several times."""
    verb, last = words[0], len(words) - 1
    act = [] if verb == "turn" else [(VERBS.index(verb), 0)]
    turn = [(len(VERBS) + SIDES.index(words[-1]), last)] if last else []
    once = (turn + act) * 4 if "around" in words else turn * (1 + ("opposite" in words)) + act
    pairs = once * TIMES[times]
    return Command((*words, times) if times else words, *map(tuple, zip(*pairs, strict=True)))


def _joined(first: Command, word: str, second: Command) -> Command:
    """Two phrases: with "after" the second one is done first."""
    moved = second._replace(named=tuple(place + len(first.words) + 1 for place in second.named))
    one, two = (first, moved) if word == "and" else (moved, first)
    return Command((*first.words, word, *second.words), one.actions + two.actions, one.named + two.named)


def load_scan(
    partition: Partition, data: str | os.PathLike[str] | None = None, actions: int | None = None
) -> WordPairs:
    """All commands of a partition, in its three splits.

    Args:
        partition: "random" (a fifth of the commands is for the test), "simple" (the same, as released: read from its
            file), "length" (answers of more than 22 actions are for the test), "jump" and "turn_left" (in training this
            stands alone, and is a tenth of it and the validation set together), "around_right" (never in training).
        data: the release's file or the folder of it, for "simple"; None is GLIMPSE_DATA, or the cache.

        actions: the most of a command; None is all of them.

    Raises:
        FileNotFoundError: where the file of "simple" is not found; the message says where it is published.
        ValueError: for an unknown partition, a damaged file, or less than one action.
    """
    if partition not in PARTITIONS:
        raise ValueError(f"partition must be one of {', '.join(PARTITIONS)}, got {partition!r}")
    if data is not None and partition != "simple":
        raise ValueError('data= is the file of partition="simple"; all others are made from the grammar')
    pairs = _assembled(partition, _find(data) if partition == "simple" else None)
    if actions is None:
        return pairs
    if not isinstance(actions, Integral) or actions < 1:
        raise ValueError(f"actions must be an integer of at least 1, got {actions!r}")
    return pairs.up_to(int(actions) + 1)


@functools.lru_cache(maxsize=8)
def _assembled(partition: Partition, path: Path | None) -> WordPairs:
    commands = all_commands()
    split, times, source = _divided(partition) if path is None else _released(path)
    rows = np.repeat(np.arange(len(commands)), times)
    book, most = Vocabulary(WORDS), max(len(command.actions) for command in commands) + 1
    longest = max(len(command.words) for command in commands)
    tokens = np.stack([book.encode(command.words, longest) for command in commands])
    said, named = (np.full((len(commands), most), fill, np.int64) for fill in (len(ACTIONS) - 1, -1))
    for row, command in enumerate(commands):
        said[row, : len(command.actions)], named[row, : len(command.actions)] = command.actions, command.named
    count = np.array([len(command.words) for command in commands])
    due = np.array([len(command.actions) + 1 for command in commands])
    pairs = WordPairs(book, ACTIONS, source, tokens[rows], count[rows], said[rows], due[rows], named[rows], split[rows])
    read_only_arrays(pairs)
    return pairs


def _divided(partition: Partition) -> tuple[np.ndarray, np.ndarray, str]:
    """By command its split, how often it is in it, and what it comes from."""
    commands = all_commands()
    bare = {"jump": ("jump",), "turn_left": ("turn", "left")}.get(partition, ())
    held = {
        "random": lambda each: _drawn(each.words, TEST_FIFTH),
        "length": lambda each: len(each.actions) > LONG,
        "jump": lambda each: "jump" in each.words and each.words != bare,
        "turn_left": lambda each: " turn left" in f" {' '.join(each.words)}" and each.words != bare,
        "around_right": lambda each: "around right" in " ".join(each.words),
    }[partition]
    test = np.array([held(each) for each in commands])
    times = np.ones(len(commands), np.int64)
    if partition == "around_right":  # the release leaves these out
        times = np.array([int("turn around right" not in " ".join(each.words)) for each in commands])
    if bare:  # so that it is a tenth of all
        alone = [each.words for each in commands].index(bare)
        times[alone] = round((len(commands) - test.sum() - 1) * REPEATED / (1 - REPEATED))
    return _with_validation(test, bare), times, ""


def _released(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """As `_divided`, of the release's random split."""
    numbers = {" ".join(each.words): number for number, each in enumerate(all_commands())}
    half = np.full(len(numbers), -1)
    try:
        with tarfile.open(path) as archive:
            for index, name in enumerate(("train", "test")):
                member = next(each for each in archive.getmembers() if each.name.endswith(SIMPLE.format(name)))
                file = archive.extractfile(member)
                assert file is not None
                for line in file.read().decode().splitlines():
                    half[numbers[line.partition(" OUT:")[0].removeprefix("IN: ").strip()]] = index
        if (half < 0).any():
            raise ValueError(f"{int((half < 0).sum())} commands are in neither half")
    except (
        OSError,
        EOFError,
        KeyError,
        ValueError,
        StopIteration,
        tarfile.TarError,
        lzma.LZMAError,
        zlib.error,
    ) as error:
        raise ValueError(f"{path}: damaged, or not as SCAN is released ({error})") from error
    return _with_validation(half == 1, ()), np.ones(len(half), np.int64), f"{path.name}"


def _with_validation(test: np.ndarray, kept: tuple[str, ...]) -> np.ndarray:
    """The rows of `SPLITS`, of commands that are for the test or not; a command that is `kept` stays in training."""
    drawn = [each.words != kept and _drawn(each.words, VALIDATION_TENTH, 7) for each in all_commands()]
    training = np.where(drawn, SPLITS.index("validation"), SPLITS.index("train"))
    return np.where(test, SPLITS.index("test"), training)


def _drawn(words: tuple[str, ...], one_in: int, salt: int = 1) -> bool:
    """Whether a command is among one in so many, by its words alone."""
    return zlib.crc32(" ".join(words).encode(), salt) % one_in == 0


def _find(data: str | os.PathLike[str] | None) -> Path:
    places = release_folders(FOLDER, data)
    for place in places:
        for path in (place, place / FILE):
            if path.is_file():
                return path
    raise FileNotFoundError(
        f"{FILE} is in none of these folders: {', '.join(map(str, places))}. It is brendenlake/SCAN on GitHub (BSD), "
        f"packed: put it into a folder {FOLDER} in the one that {VARIABLE} names, or name it with data=; "
        'partition="random" is drawn alike, and needs no file'
    )
