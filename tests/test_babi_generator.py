"""Generated bAbI files: answered by an independent solver, and of the words and proportions of the released ones."""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import babi_solver
import pytest

from glimpse_env.babi_generator import TASKS, generate_file

ALL = range(1, 21)


class Asked(NamedTuple):
    """A question: its number in the file's stories, what was told before it, and what stands on its line."""

    line: int
    told: dict[int, str]
    text: str
    answer: str
    support: list[int]


Stories = list[list[Asked]]


def parse(text: str) -> tuple[Stories, list[str]]:
    """The questions story by story, and all sentences; checks the format on the way."""
    stories: Stories = []
    sentences: list[str] = []
    told: dict[int, str] = {}
    before = 0
    for row in text.splitlines():
        match = re.fullmatch(r"(\d+) ([A-Z][\w ]*)(?:\.|\?( ?)\t([\w,]+)\t(\d+(?: \d+)*))", row)
        assert match, row
        line = int(match[1])
        assert line in (1, before + 1), row
        if line == 1:
            stories.append([])
            told = {}
        if match[4] is None:
            told[line] = match[2] + "."
            sentences.append(told[line])
        else:
            support = [int(number) for number in match[5].split(" ")]
            assert set(support) <= set(told), row
            stories[-1].append(Asked(line, dict(told), match[2] + "?" + match[3], match[4], support))
        before = line
    return stories, sentences


@cache
def generated(task: int, questions: int, seed: int) -> str:
    return generate_file(task, questions, seed)


@cache
def released(task: int, split: str) -> str | None:
    folder = Path(os.environ.get("GLIMPSE_DATA", "")) / "babi" / "en"
    path = folder / f"qa{task}_{TASKS[task].name}_{split}.txt"
    return path.read_text() if path.is_file() else None


def real(task: int, split: str = "train") -> str:
    text = released(task, split)
    if text is None:
        pytest.skip("the released files are not in babi/en in the folder GLIMPSE_DATA names")
    return text


def accuracy(text: str, only_support: bool = False) -> float:
    questions = [asked for story in parse(text)[0] for asked in story]
    right = sum(
        babi_solver.answer(
            [asked.told[line] for line in (sorted(asked.support) if only_support else asked.told)], asked.text
        )
        == asked.answer
        for asked in questions
    )
    return 100 * right / len(questions)


# ---- right


@pytest.mark.parametrize("task", ALL)
def test_the_solver_answers_every_generated_question(task: int) -> None:
    for seed in range(4):
        assert accuracy(generated(task, 200, seed)) == 100


@pytest.mark.parametrize("task", ALL)
def test_supporting_lines_are_enough(task: int) -> None:
    for seed in range(4):
        assert accuracy(generated(task, 200, seed), only_support=True) == 100


@pytest.mark.parametrize("task", ALL)
def test_every_supporting_line_is_needed(task: int) -> None:
    """Without the line named first, the solver fails or errs on a fair share: the line was not there for show."""
    failed = total = 0
    for story in parse(generated(task, 200, 0))[0]:
        for asked in story:
            told = [text for line, text in asked.told.items() if line in asked.support[1:]]
            total += 1
            try:
                failed += babi_solver.answer(told, asked.text) != asked.answer
            except (KeyError, ValueError, IndexError, StopIteration):
                failed += 1
    assert failed > total / 3


RELEASED_ACCURACY = {5: 99.8, 8: 99.6}
"""Per cent, on the released test files. In 5, somebody gave the same person two things, and the question may mean
either; in 8, the order of a list is not always that of taking. Every other file is answered without an error."""


@pytest.mark.parametrize("task", ALL)
def test_the_solver_answers_the_released_files(task: int) -> None:
    assert accuracy(real(task, "test")) == pytest.approx(RELEASED_ACCURACY.get(task, 100))


@pytest.mark.parametrize("seed", range(3))
def test_places_lie_on_cells_of_their_own(seed: int) -> None:
    """Tasks 4, 17 and 19: no two of a story on one cell, as in 7 % of the released stories of task 19."""
    for task in (4, 17, 19):
        for story in parse(generated(task, 200, seed))[0]:
            heard = babi_solver.Heard()
            for line in story[0].told.values():
                babi_solver.hear(heard, line)
            names = {name for one, _, other in heard.relations for name in (one, other)}
            cells = {name: cell for name, (cell, _) in babi_solver._map(heard, min(names)).items()}
            assert set(cells) == names
            assert len(set(cells.values())) == len(names)
            for one, side, other in heard.relations:
                x, y = babi_solver.STEPS[side]
                assert cells[one] == (cells[other][0] + x, cells[other][1] + y)


# ---- as released


def words(text: str) -> set[str]:
    return set(re.findall(r"[\w,]+[.?]|\w+", re.sub(r"\b\d+\b", "", text).lower()))


@pytest.mark.parametrize("task", ALL)
def test_words_of_the_released_file(task: int) -> None:
    """All of its words, and no other but lists of things in an order that the released file happens to lack."""
    made, train = words(generated(task, 3000, 0)), words(real(task) + real(task, "test"))
    lists = {word for word in made if "," in word} if task == 8 else set()
    assert made - lists == train - lists
    assert {thing for word in lists for thing in word.split(",")} <= train


@pytest.mark.parametrize("task", ALL)
def test_lines_end_as_released(task: int) -> None:
    """The released files of tasks 1 to 14, but 4, have a space before the tab after a question."""
    for text in (generated(task, 50, 0), real(task)):
        spaces = {asked.text.endswith("? ") for story in parse(text)[0] for asked in story}
        assert spaces == {task in {*range(1, 15)} - {4}}


NAMES = re.compile(
    r"\b(?:[A-Z][a-z]+|apple|football|milk|bathroom|bedroom|garden|hallway|kitchen|office|school|cinema|park|square|rectangle"
    r"|triangle|sphere|red|blue|yellow|pink|container|suitcase|chest|box of chocolates|box|chocolate)\b"
)


def distance(one: Counter[str], other: Counter[str]) -> float:
    """Total variation."""
    return sum(abs(one[key] / one.total() - other[key] / other.total()) for key in one | other) / 2


@cache
def both(task: int) -> tuple[tuple[Stories, list[str]], tuple[Stories, list[str]]]:
    """Generated and released, the latter with the words of both of its splits: 2,000 questions."""
    return parse(generated(task, 3000, 0)), parse(real(task) + real(task, "test"))


@pytest.mark.parametrize("task", ALL)
def test_answers_in_the_released_proportions(task: int) -> None:
    """Within 0.07; the released train and test files of task 15 are 0.125 from each other, the others 0.08 at most."""
    made, train = (Counter(asked.answer for story in file[0] for asked in story) for file in both(task))
    assert distance(made, train) < 0.07


@pytest.mark.parametrize("task", ALL)
def test_statements_and_questions_in_the_released_proportions(task: int) -> None:
    """Sentences and questions with their names left out, and lines told before a question."""
    forms = (
        Counter(NAMES.sub("", text) for text in (*file[1], *(asked.text for story in file[0] for asked in story)))
        for file in both(task)
    )
    assert distance(*forms) < 0.06
    heard = (Counter(str(min(len(asked.told), 40)) for story in file[0] for asked in story) for file in both(task))
    assert distance(*heard) < 0.06


@pytest.mark.parametrize("task", ALL)
def test_supporting_lines_lie_as_far_back_as_released(task: int) -> None:
    """Counted in statements. In released stories of 18 and 19, more of them are among the last lines."""
    ages = (
        Counter(
            str(sum(other > line for other in asked.told))
            for story in file[0]
            for asked in story
            for line in asked.support
        )
        for file in both(task)
    )
    assert distance(*ages) < (0.12 if task in (18, 19) else 0.04)


@pytest.mark.parametrize("task", ALL)
def test_lengths_of_stories(task: int) -> None:
    """In statements and in questions, within a tenth of the released means."""
    made, train = both(task)
    for count in (lambda story: len(story[-1].told), len):
        mean, goal = (sum(count(story) for story in file[0]) / len(file[0]) for file in (made, train))
        assert mean == pytest.approx(goal, rel=0.1)


# ---- a file


@pytest.mark.parametrize("task", ALL)
def test_a_file_is_a_function_of_its_arguments(task: int) -> None:
    assert generate_file(task, 30, seed=5) == generate_file(task, 30, seed=5)
    assert generate_file(task, 30, seed=5) != generate_file(task, 30, seed=6)
    assert generate_file(task, 60, seed=5).startswith(generate_file(task, 30, seed=5))


@pytest.mark.parametrize("task", ALL)
@pytest.mark.parametrize("questions", [1, 2, 7])
def test_a_file_ends_with_the_last_question_asked_for(task: int, questions: int) -> None:
    text = generate_file(task, questions)
    assert sum(len(story) for story in parse(text)[0]) == questions
    assert "\t" in text.splitlines()[-1]
    assert text.endswith("\n")


def test_stories_of_a_file_differ() -> None:
    """No two stories of any length are the same."""
    for task in (1, 2, 3, 5, 14):
        stories = re.split(r"^1 ", generated(task, 200, 0), flags=re.MULTILINE)[1:]
        assert len(set(stories)) == len(stories) == 40
        assert all(one != other for one, other in pairwise(stories))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 10, 0), "tasks 1 to 20, not 0"),
        ((21, 10, 0), "tasks 1 to 20, not 21"),
        ((1, 0, 0), "at least 1 question, not 0"),
        ((1, 10, -1), "a seed is from 0"),
        ((1, 10, 2**64), "a seed is from 0"),
    ],
)
def test_what_cannot_be_made(arguments: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate_file(*arguments)
