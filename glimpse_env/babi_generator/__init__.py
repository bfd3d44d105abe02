"""bAbI stories made from scratch: all twenty tasks, in the format and the proportions of the released files.

Written from observation of the released data and from Weston et al. 2015, "Towards AI-complete question answering: a
set of prerequisite toy tasks"; the original generator was not used. A file is text made once, and reads as a real one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import deduction, giving, knowing, motives, moving, referring, relations, time
from .world import Draws, Story

__all__ = ["TASKS", "Task", "generate_file"]


class Task(NamedTuple):
    """One of the twenty: the name in its files (qa1_single-supporting-fact_train.txt), and what tells a story."""

    name: str
    tell: Callable[[Story, Draws], None]


TASKS: dict[int, Task] = {
    1: Task("single-supporting-fact", moving.single_supporting_fact),
    2: Task("two-supporting-facts", moving.two_supporting_facts),
    3: Task("three-supporting-facts", moving.three_supporting_facts),
    4: Task("two-arg-relations", relations.two_arg_relations),
    5: Task("three-arg-relations", giving.three_arg_relations),
    6: Task("yes-no-questions", moving.yes_no_questions),
    7: Task("counting", moving.counting),
    8: Task("lists-sets", moving.lists_sets),
    9: Task("simple-negation", knowing.simple_negation),
    10: Task("indefinite-knowledge", knowing.indefinite_knowledge),
    11: Task("basic-coreference", referring.basic_coreference),
    12: Task("conjunction", referring.conjunction),
    13: Task("compound-coreference", referring.compound_coreference),
    14: Task("time-reasoning", time.time_reasoning),
    15: Task("basic-deduction", deduction.basic_deduction),
    16: Task("basic-induction", deduction.basic_induction),
    17: Task("positional-reasoning", relations.positional_reasoning),
    18: Task("size-reasoning", relations.size_reasoning),
    19: Task("path-finding", relations.path_finding),
    20: Task("agents-motivations", motives.agents_motivations),
}


def generate_file(task: int, questions: int = 1000, seed: int = 0) -> str:
    """The text of one file of a task, a pure function of its arguments.

    A line is a number and a sentence, or a number and a question, its answer and the numbers of the lines that support
    it, separated by tabs. Numbers restart at 1 with each story. The released files have 1,000 questions, or 10,000.

    Args:
        task: 1 to 20.
        questions: how many the file holds, at least 1; the last story ends with the last of them.
        seed: 0 to 2**64 - 1.

    Returns:
        The lines, each ended by a newline.

    Raises:
        ValueError: for no such task, a number of questions below 1, or a seed out of range.
    """
    if task not in TASKS:
        raise ValueError(f"bAbI has tasks 1 to 20, not {task!r}")
    if questions < 1:
        raise ValueError(f"a file holds at least 1 question, not {questions}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"a seed is from 0 to 2**64 - 1, not {seed}")
    draws, lines, asked = Draws(seed, task), list[str](), 0
    while asked < questions:
        story = Story()
        TASKS[task].tell(story, draws)
        for line in story.lines:
            lines.append(line)
            asked += "\t" in line
            if asked == questions:
                break
    return "\n".join(lines) + "\n"
