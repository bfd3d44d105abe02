"""An episode's words as a table that TensorBoard lets through."""

from __future__ import annotations

import warnings

import numpy as np

from runs.drawing.memory_text import bar, episode_table, escape
from runs.recording.recollections import Recollection

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in TensorBoard's own copy of html5lib
    from tensorboard.plugin_util import markdown_to_safe_html

STORY = Recollection(
    np.zeros((3, 0)),
    ["mary went home", "john went to the park", "where is mary ?"],
    "",
    np.array([1.0, 0.5, 0.0]),
    np.array([[0.9, 0.1, 0.0], [0.6, 0.0, 0.4]]),
    None,
    None,
    "home",
    "home",
    0.93,
    np.array([1, 2, 3]),
    np.array([True, False, False]),
)


def test_the_words_that_were_recalled_are_bold() -> None:
    page = markdown_to_safe_html(episode_table(STORY))
    assert "<td><strong>mary went home</strong></td>" in page
    assert "<td>john went to the park</td>" in page
    assert page.count("<tr>") == 4
    for head in ("line", "needed", "written", "hop 1", "hop 2", "words"):
        assert f"<th>{head}</th>" in page
    assert "<strong>home</strong> (93 %) ✓" in page


def test_the_truth_stands_beside_a_wrong_answer() -> None:
    text = episode_table(STORY._replace(answer="park", question="where is mary ?"))
    assert text.startswith("### where is mary ?")
    assert "**park** (93 %) ✗, it is **home**" in text


def test_lines_that_were_looked_at_have_the_storys_numbers() -> None:
    text = episode_table(STORY._replace(places=np.array([7, 2, 7]), recalled=None))
    assert [line.split(" | ")[0] for line in text.splitlines()[-3:]] == ["| 7", "| 2", "| 7"]
    assert "hop" not in text
    assert "| ● |" in text


def test_bits_and_tokens_stand_beside_the_right_ones() -> None:
    bits = Recollection(
        np.zeros((5, 3)), [], "", None, None, None, None, np.array([[1, 0], [0, 0]]), np.array([[1, 0], [1, 0]]), 0.0
    )
    text = episode_table(bits)
    assert "1 of 2 answers right" in text
    assert "| 1 | ■□ | ■□ | ✓ |" in text
    assert "| 2 | ■□ | □□ | ✗ |" in text
    tokens = bits._replace(shown=np.zeros((5, 1)), answer=np.array([7, 8]), truth=np.array([7, 8]))
    assert "| 2 | 8 | 8 | ✓ |" in episode_table(tokens)


def test_bars_grow_with_the_weight() -> None:
    bars = [bar(weight) for weight in (0.0, 0.004, 0.01, 0.3, 0.6, 1.0)]
    assert bars == ["", "", "▁ 1", "▃ 30", "▅ 60", "█ 100"]


def test_words_do_not_become_markup() -> None:
    words = "a|b **c** <i>d</i>"
    page = markdown_to_safe_html(f"| x |\n|---|\n| {escape(words)} |")
    assert "<td>a|b **c** &lt;i&gt;d&lt;/i&gt;</td>" in page
