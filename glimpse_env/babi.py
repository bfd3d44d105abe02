"""The bAbI question-answering tasks as arrays (Weston et al. 2015, "Towards AI-complete question answering").

A file of the released format has a line for each sentence, "ID text", and for each question, "ID text, tab, answer,
tab, IDs of the supporting sentences"; a story begins where the ID is 1 again. A question is about all sentences of
its story before it: they are kept once for all questions of the story, as ids of distinct sentences.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from glimpse_env.babi_files import GENERATOR, PARTS, Part, find_files, generate
from glimpse_env.datasets import VARIABLE, say_if_elsewhere
from glimpse_env.images import SPLITS
from glimpse_env.notices import say_once
from glimpse_env.read_only import read_only_arrays
from glimpse_env.text import Vocabulary, tokenize

Size = Literal["1k", "10k", "100k"]
Language = Literal["en", "hn", "shuffled"]

QUESTIONS: dict[str, int] = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
"""Questions of a training file. Files of 100,000 were never released: they are generated, which takes a minute."""

TASK_NAMES = (
    *("single supporting fact", "two supporting facts", "three supporting facts", "two-argument relations"),
    *("three-argument relations", "yes/no questions", "counting", "lists and sets", "simple negation"),
    *("indefinite knowledge", "basic coreference", "conjunction", "compound coreference", "time reasoning"),
    *("basic deduction", "basic induction", "positional reasoning", "size reasoning", "path finding"),
    "agents' motivations",
)
"""What the tasks 1 to 20 are called."""

WORDS = 12
"""The least width of a row of words: that of the longest released English sentence."""

NO_ANSWER = -1
"""The class of an answer that no training file has: nothing is right."""


class Stories(NamedTuple):
    """Questions and their stories; every array is read-only.

    The sentences of question q are `sentences[lines[start[q] + i]]`, i in [0, length[q]); the question itself is
    `sentences[question[q]]`.

    Attributes:
        vocabulary: the words.
        answers: the classes; an answer of several words ("apple,football") is one.
        sources: where each file came from, by names such as "qa3_train": a path, or "generator".
        sentences: (S, words) int32, each distinct sentence or question as ids, padded with 0.
        lines: (L,) int32, the rows of `sentences` that the stories consist of, one story after the other.
        task: (Q,) int8, the number of the task, 1 to 20.
        split: (Q,) int8, 0 train, 1 validation, 2 test: every tenth story of a training file is for validation.
        start: (Q,) int32, the first line of the story in `lines`.
        length: (Q,) int32, how many lines come before the question, at least 1.
        question: (Q,) int32, row in `sentences`.
        answer: (Q,) int32, class, or -1 for an answer that no training file has.
        support: (Q, facts) int32, the supporting lines, from 0 in the story, padded with -1.
    """

    vocabulary: Vocabulary
    answers: tuple[str, ...]
    sources: dict[str, str]
    sentences: np.ndarray
    lines: np.ndarray
    task: np.ndarray
    split: np.ndarray
    start: np.ndarray
    length: np.ndarray
    question: np.ndarray
    answer: np.ndarray
    support: np.ndarray


class Question(NamedTuple):
    """One question of a file: the number of its story, first line, number of lines, and the rest as in `Stories`."""

    story: int
    start: int
    length: int
    question: int
    answer: str
    support: tuple[int, ...]


def load_babi(
    task: int | Literal["joint"] = "joint",
    size: Size = "1k",
    language: Language = "en",
    data: str | os.PathLike[str] | None = None,
    vocabulary: Sequence[str] | None = None,
    answers: Sequence[str] | None = None,
) -> Stories:
    """Every file of a set, read once per process.

    Searched in `data`; else in the folder that the environment variable GLIMPSE_DATA names (babi/en,
    tasks_1-20_v1-2/en, archives in babi/), in the cache, and at mirrors. Where none of these has any file, English ones
    are generated, or those of a chosen task which a set lacks. Nothing is generated in place of `data`. Vocabulary and
    answers are those of the training files of all tasks, so that they are the same for every `task`.

    Args:
        task: 1 to 20, or "joint" for all (those that there are, in `data`): which tasks must have their files.
        size: "1k" or "10k" training questions a task; the test questions are the same 1,000. Or "100k": generated
            training questions for `task` (English only, and not with `data`), all else as for "10k".
        language: "en", "hn" (Hindi) or "shuffled" (English with its letters exchanged).
        data: a folder or an archive (.tar.gz, .tar.xz) of files of the released format. The training files may be
            missing where `vocabulary` and `answers` are given, and the test files always.
        vocabulary: the words to use in place of the files' own: those of a trained agent.
        answers: the same for the answers.

    Returns:
        All questions of all splits; of the other tasks too, where they have files.

    Raises:
        FileNotFoundError: `data` lacks a training file, or there is none in a language that is not generated.
        ValueError: an unknown task, size or language, or a damaged file, which is named.
    """
    if task != "joint" and (not isinstance(task, (int, np.integer)) or not 1 <= task <= 20 or isinstance(task, bool)):
        raise ValueError(f'task must be 1 to 20 or "joint", got {task!r}')
    if size not in QUESTIONS:
        raise ValueError(f'size must be "1k", "10k" or "100k", got {size!r}')
    if language not in ("en", "hn", "shuffled"):
        raise ValueError(f'language must be "en", "hn" or "shuffled", got {language!r}')
    if size == "100k" and language != "en":
        raise ValueError(f'size="100k" is generated, in English only, not for language={language!r}')
    if size == "100k" and data is not None:
        raise ValueError('size="100k" is generated, and data= are files of your own: leave one of them out')
    tasks = tuple(range(1, 21)) if task == "joint" else (int(task),)
    place = None if data is None else os.fspath(data)
    name = language if size == "1k" else f"{language}-10k"
    words, classes = (None if names is None else tuple(names) for names in (vocabulary, answers))
    variable = os.environ.get(VARIABLE)
    source, files = find_files(place, name, variable)
    if data is not None and task == "joint":
        tasks = tuple(sorted({number for number, _ in files}))
    lacking = tuple(part for part in PARTS if part not in files and (source == GENERATOR or part[0] in tasks))
    if data is not None:  # what is named is never replaced; what has no test file has no test questions
        lacking = tuple(part for part in lacking if part[1] == "train" and (words is None or classes is None))
        if lacking:
            number, _ = lacking[0]
            raise FileNotFoundError(f"{source} lacks the training file of task {number}, qa{number}_…_train.txt")
    elif lacking and language != "en":
        wanted, half = lacking[0]
        where = f"nowhere, nor at a mirror: set {VARIABLE} or pass data=" if source == GENERATOR else f"not in {source}"
        raise FileNotFoundError(
            f"the {half} file of task {wanted} for {name} is {where}; only English files can be generated"
        )
    elif source == GENERATOR:
        say_once(f"bAbI: no files for {name} in {VARIABLE}, in the cache or at a mirror: all questions are generated")
    elif lacking:
        files_lacking = ", ".join(f"qa{number}_{half}" for number, half in lacking)
        say_once(f"bAbI: {source} lacks {files_lacking}: generated in place of it")
    if data is None and source != GENERATOR:
        say_if_elsewhere(f"bAbI, {name}", Path(source))
    released = QUESTIONS["1k" if size == "1k" else "10k"]
    made = {part: released if part[1] == "train" else QUESTIONS["1k"] for part in lacking}
    if size == "100k":
        made |= {(number, "train"): QUESTIONS[size] for number in tasks}
    return _assemble(place, name, variable, tuple(made.items()), words, classes)


def parse(text: str, name: str, sentences: dict[str, int]) -> tuple[list[int], list[Question]]:
    """The stories of one file.

    Args:
        text: the file, in the released format.
        name: what to call it in messages.
        sentences: rows of the sentences met so far; new ones are added.

    Returns:
        The rows of all lines that are no questions, and the questions.

    Raises:
        ValueError: a line that is not of the format, with its number.
    """
    lines: list[int] = []
    questions: list[Question] = []
    story, start, last = -1, 0, 0
    places: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        identity, _, rest = line.partition(" ")
        if identity == "1":
            story, start, last, places = story + 1, len(lines), 0, {}
        if identity != str(last + 1) or not rest.strip():
            if not line.strip():
                continue
            raise ValueError(f'{name}, line {number}: expected "{last + 1} text" or "1 text", got {line[:60]!r}')
        last += 1
        sentence, *fields = rest.split("\t")
        if fields:  # every question ends with its mark, in whatever language
            sentence = sentence.rstrip("? ") + "?"
        row = sentences.setdefault(sentence.strip(), len(sentences))
        if not fields:
            places[identity] = len(lines) - start
            lines.append(row)
            continue
        if not fields[0].strip() or not places or len(fields) > 2:
            raise ValueError(
                f'{name}, line {number}: a question is "ID text, tab, answer, tab, supporting IDs" after a sentence or '
                f"more, got {line[:60]!r}"
            )
        try:
            support = tuple(places[fact] for fact in "".join(fields[1:]).split())
        except KeyError as error:
            raise ValueError(f"{name}, line {number}: {error} is no sentence of the story before it") from error
        questions.append(Question(story, start, len(lines) - start, row, fields[0].strip().lower(), support))
    if not questions:
        raise ValueError(f"{name} asks nothing: it is empty or damaged; replace it, or remove it")
    return lines, questions


@functools.lru_cache(maxsize=8)
def _assemble(
    data: str | None,
    name: str,
    variable: str | None,
    made: tuple[tuple[Part, int], ...],
    vocabulary: tuple[str, ...] | None,
    answers: tuple[str, ...] | None,
) -> Stories:
    """The files of a set, and those made for it with so many questions."""
    place, found = find_files(data, name, variable)
    files = found | {part: generate(part, questions) for part, questions in made}
    sources = dict.fromkeys(found, place) | {part: GENERATOR for part, _ in made}
    sentences: dict[str, int] = {}
    lines: list[int] = []
    questions: list[tuple[Part, Question]] = []
    known = 0
    for part in sorted(files, key=PARTS.index):  # the training files come first
        rows, parsed = parse(files[part], f"qa{part[0]}_{part[1]} in {sources[part]}", sentences)
        questions += [(part, question._replace(start=question.start + len(lines))) for question in parsed]
        lines += rows
        known = len(sentences) if part[1] == "train" else known
    learnt = sorted({question.answer for part, question in questions if part[1] == "train"})
    tokens = [tokenize(sentence) for sentence in sentences]
    words = {word for row in tokens[:known] for word in row} | {word for answer in learnt for word in answer.split(",")}
    book = Vocabulary(sorted(words) if vocabulary is None else vocabulary)
    classes = tuple(learnt) if answers is None else answers
    width = max(WORDS, max(len(row) for row in tokens))
    number = {answer: index for index, answer in enumerate(classes)}
    column = [question for _, question in questions]
    facts = max(len(question.support) for question in column)
    stories = Stories(
        vocabulary=book,
        answers=classes,
        sources={f"qa{task}_{half}": source for (task, half), source in sources.items()},
        sentences=np.stack([book.encode(row, width) for row in tokens]).astype(np.int32),
        lines=np.array(lines, np.int32),
        task=np.array([part[0] for part, _ in questions], np.int8),
        split=np.array([_split(part, question.story) for part, question in questions], np.int8),
        start=np.array([question.start for question in column], np.int32),
        length=np.array([question.length for question in column], np.int32),
        question=np.array([question.question for question in column], np.int32),
        answer=np.array([number.get(question.answer, NO_ANSWER) for question in column], np.int32),
        support=np.array([question.support + (-1,) * (facts - len(question.support)) for question in column], np.int32),
    )
    read_only_arrays(stories)
    return stories


def _split(part: Part, story: int) -> int:
    """The row of `SPLITS` that a story of a file belongs to."""
    return SPLITS.index("test" if part[1] == "test" else "validation" if story % 10 == 9 else "train")
