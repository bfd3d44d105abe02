"""Write `runs/RESULTS.md` from the committed weights: `python -m runs.results [NAME ...]`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import tyro

from agents.loading import agent_from_dict
from agents.training.checkpoint import load_checked, write_atomically
from agents.training.recipe import Recipe
from runs.command_line import one_line_errors, run_script
from runs.environments import task_name
from runs.evaluation import evaluate_checkpoint
from runs.progress import Progress
from runs.tables import external, hidden_stories, images, recall, sb3, sequences, trainings, walks, words
from runs.tables.cells import memory_cell, parameter_count
from runs.tables.gathering import load_rows

PRETRAINED = Path("runs/pretrained")

RESULTS = Path("runs/RESULTS.md")


class Tables:
    """The lines of every table, as weight files are added one by one."""

    def __init__(self) -> None:
        self.images = self.walks = self.by_glimpse = self.recalled = self.longer = self.external = self.trainings = ""
        self.words = ""
        self.stories: dict[str, list[dict[str, Any]]] = {}
        self.hidden: list[tuple[str, dict[str, Any], str, int, int]] = []

    def add(self, path: Path) -> None:
        """Evaluate a weight file, and give its figures to the tables that they belong to."""
        values = load_checked(path)
        recipe, agent = Recipe.from_dict(values["recipe"]), agent_from_dict(values, path)
        report, size, name = evaluate_checkpoint(path, device="cpu"), parameter_count(agent), path.stem
        self.trainings += trainings.training_row(name, recipe, values["training"])
        if "unit" in report:
            run = {**values["training"], "init_from": recipe.init_from}
            self.recalled += recall.recall_row(name, report, memory_cell(agent), size, run)
            for arguments, options in recall.LONGER.get(name.partition("-")[0], ()):
                if options and getattr(agent.config, "memory", "none") == "none":
                    continue
                more = evaluate_checkpoint(path, arguments=arguments, memory_options=options, device="cpu")
                self.longer += recall.longer_row(name, more)
            if len(report.get("error_by_task", {})) > 1:
                self.stories.setdefault(recipe.name, []).append(report)
            return
        if task_name(recipe.env.id) is None:
            answer = agent.spec.action["answer"]
            self.external += external.external_row(
                name, report, answer.values if answer.shape else answer.sizes[0], size
            )
            return
        if agent.spec.named("bag") is not None:
            task = str(recipe.env.kwargs().get("task", 1))
            self.hidden.append((name, report, task, size, getattr(agent.config, "map_lines", 0)))
        elif agent.spec.named("around") is not None:
            self.words += words.word_row(name, report, size)
        else:
            self.images += images.result_row(name, report, agent)
            self.walks += walks.walk_row(name, report)
        if report["glimpses"] > 1 and "error_by_glimpse" in report:
            self.by_glimpse += images.by_glimpse_row(name, report)

    def lines(self) -> dict[str, str]:
        """The lines of each table whose lines stand for themselves, by what stands above them.

        Raises:
            ValueError: where a table that is made of several weight files together has lines.
        """
        if self.stories or self.hidden:
            raise ValueError("stories are compared with each other: write all results, without a name")
        return {
            images.HEAD: self.images,
            walks.HEAD: self.walks,
            words.HEAD: self.words,
            images.BY_GLIMPSE: self.by_glimpse,
            recall.HEAD: self.recalled,
            recall.LONGER_HEAD: self.longer,
            external.HEAD: self.external,
            trainings.HEAD: self.trainings,
        }

    def text(self) -> str:
        """All tables in Markdown; those without lines are left out."""
        reader = self.stories["babi-10k"][0]["error_by_task"] if "babi-10k" in self.stories else {}
        hidden = "".join(
            hidden_stories.story_row(n, report, task, reader, *size) for n, report, task, *size in self.hidden
        )
        parts = [
            images.HEAD + self.images,
            walks.HEAD + self.walks if self.walks else "",
            words.HEAD + self.words if self.words else "",
            images.BY_GLIMPSE + self.by_glimpse,
            recall.HEAD + self.recalled,
            recall.LONGER_HEAD + self.longer if self.longer else "",
            sequences.sequences_table(load_rows(sequences.ROWS)),
            *(recall.by_task(name, reports) for name, reports in self.stories.items()),
            hidden_stories.HEAD + hidden if hidden else "",
            external.HEAD + self.external if self.external else "",
            sb3.sb3_table(load_rows(sb3.ROWS)),
            trainings.HEAD + self.trainings,
        ]
        return "".join(parts)


def by_name(lines: str) -> dict[str, list[str]]:
    """The lines of a table by their first cell, in order."""
    table: dict[str, list[str]] = {}
    for line in lines.splitlines():
        table.setdefault(line.split("|")[1], []).append(line)
    return table


def updated(text: str, head: str, lines: str) -> str:
    """A text with these lines in the table below `head`: in place of those of the same first cell, or as its last.

    Raises:
        ValueError: where the text has no such table.
    """
    columns = "\n".join(head.splitlines()[-2:]) + "\n"
    before, found, after = text.partition(columns)
    if not found:
        raise ValueError(f"{RESULTS} has no table of the columns {columns.splitlines()[0]}: write all results")
    rows, gap, rest = after.partition("\n\n")
    table = by_name(rows) | by_name(lines)
    return before + columns + "\n".join(row for each in table.values() for row in each) + (gap or "\n") + rest


def main(names: tyro.conf.Positional[tuple[str, ...]] = ()) -> None:
    """Evaluate committed weight files and write their lines into the tables.

    Args:
        names: of weight files, whose lines alone are written anew; none is all of them.
    """
    order = list(images.PAPER)
    paths = sorted(PRETRAINED.glob("*.pt"), key=lambda p: (order.index(p.stem) if p.stem in order else 99, p.stem))
    tables = Tables()
    with one_line_errors():
        for name in names:
            if name not in {path.stem for path in paths}:
                raise ValueError(f"there is no {PRETRAINED / name}.pt")
        for path in Progress([path for path in paths if not names or path.stem in names], unit=" weights"):
            tables.add(path)
        text = tables.text()
        if names:
            text = RESULTS.read_text()
            for head, lines in tables.lines().items():
                text = updated(text, head, lines) if lines else text
        write_atomically(text.encode(), RESULTS)
    print(f"wrote {RESULTS}")


if __name__ == "__main__":
    run_script(partial(tyro.cli, main))
