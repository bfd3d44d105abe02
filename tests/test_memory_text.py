"""An episode's words as a table that TensorBoard lets through."""

from __future__ import annotations

import warnings

import numpy as np

from runs.traces.alignment_panel import alignment_panel, alignment_table
from runs.traces.layout import TRUTH
from runs.traces.markdown import bar, escape
from runs.traces.sequence_panel import sequence_table
from runs.traces.text_panel import text_table
from runs.traces.trace import Trace

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in TensorBoard's own copy of html5lib
    from tensorboard.plugin_util import markdown_to_safe_html

STORY = Trace(
    0,
    "tokens",
    np.zeros((3, 4), np.int64),
    answer=np.array([0]),
    target=np.array([0]),
    beliefs=np.array([[0.93, 0.07]]),
    names=("home", "park"),
    lines=("mary went home", "john went to the park", "where is mary ?"),
    line_numbers=np.array([1, 2, 3]),
    needed=np.array([True, False, False]),
    read=np.array([[[0.0] * 3] * 2] * 2 + [[[0.9, 0.1, 0.0], [0.6, 0.0, 0.4]]]),
    gate=np.array([1.0, 0.5, 0.0]),
    step=np.arange(3),
)


def test_the_words_that_were_recalled_are_bold() -> None:
    page = markdown_to_safe_html(text_table(STORY))
    assert "<td><strong>mary went home</strong></td>" in page
    assert "<td>john went to the park</td>" in page
    assert page.count("<tr>") == 4
    for head in ("line", "needed", "written", "hop 1", "hop 2", "words"):
        assert f"<th>{head}</th>" in page
    assert "<strong>home</strong> (93 %) ✓" in page


def test_the_truth_stands_beside_a_wrong_answer() -> None:
    text = text_table(STORY._replace(answer=np.array([1]), question="where is mary ?"))
    assert text.startswith("### where is mary ?")
    assert "**park** (93 %) ✗, it is **home**" in text


def test_lines_of_a_hidden_story_have_its_numbers() -> None:
    text = text_table(STORY._replace(line_numbers=np.array([7, 2, 7]), step=None))
    assert [line.split(" | ")[0] for line in text.splitlines()[-3:]] == ["| 7", "| 2", "| 7"]
    assert "hop" not in text
    assert "| ● |" in text


def test_bits_and_tokens_stand_beside_the_right_ones() -> None:
    answer, target = np.array([[1, 0], [0, 0]]), np.array([[1, 0], [1, 0]])
    bits = Trace(0, "bits", np.zeros((5, 3)), answer, target, np.zeros((5, 0)))
    text = sequence_table(bits)
    assert "1 of 2 answers right" in text
    assert "| 1 | ■□ | ■□ | ✓ |" in text
    assert "| 2 | ■□ | □□ | ✗ |" in text
    tokens = bits._replace(seen=np.zeros((5, 1)), answer=np.array([7, 8]), target=np.array([7, 8]))
    assert "| 2 | 8 | 8 | ✓ |" in sequence_table(tokens)


def test_bars_grow_with_the_weight() -> None:
    bars = [bar(weight) for weight in (0.0, 0.004, 0.01, 0.3, 0.6, 1.0)]
    assert bars == ["", "", "▁ 1", "▃ 30", "▅ 60", "█ 100"]


SPOKEN = Trace(
    0,
    "aligned",
    np.ones((4, 1), np.int64),
    np.array([2]),
    np.array([2]),
    np.array([[0, 1, 0], [1, 0, 0], [0.2, 0.8, 0], [0, 0, 1]], np.float32),
    ("jump", "left", "end"),
    attention=np.eye(2)[[0, 0, 0, 1]],
    due=np.array([0, 0, 0, 2]),
    text=("jump", "twice"),
    aligned=np.array([-2, 0, 0, -1]),
)


def test_what_was_said_stands_beside_what_was_looked_at() -> None:
    text = alignment_table(SPOKEN)
    assert text.startswith("2 of 3 words right  ·  2 of 2 looks where they should be")
    rows = text.splitlines()[-4:]
    assert rows == ["| – | █ 100 |  |", "| jump | █ 100 ● |  |", "| left (jump) | █ 100 ● |  |", "| end |  | █ 100 |"]
    panel = alignment_panel(SPOKEN, "episode 0")
    other = alignment_panel(SPOKEN._replace(attention=np.eye(2)[[0, 1, 0, 1]]), "episode 0")
    assert alignment_table(SPOKEN._replace(attention=np.zeros((4, 2)))).startswith("2 of 3 words right\n")
    assert panel.shape == other.shape
    assert (panel != other).any()
    frames = [(picture == TRUTH).all(-1).sum() for picture in (panel, other)]
    assert frames[0] == frames[1] > 0


def test_words_do_not_become_markup() -> None:
    words = "a|b **c** <i>d</i>"
    page = markdown_to_safe_html(f"| x |\n|---|\n| {escape(words)} |")
    assert "<td>a|b **c** &lt;i&gt;d&lt;/i&gt;</td>" in page
