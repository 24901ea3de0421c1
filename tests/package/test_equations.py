"""Equations in comments and docstrings are figures: indented, one below the other, never wrapped like prose.

    //   f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f)        coupled: f_t = 1 - i_t, no
    //   weights of its own g_t = tanh(W_g x_t + b_g)      <- what a formatter makes of two lines

A wrapped line shows: the next one begins with a word that had no room left, and does not begin an entry.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = 110
FILES = sorted(
    path
    for folder in ("cpp", "python", "tests", "bench", "examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".hpp", ".cpp", ".h", ".c", ".py")
)
# What a line of a figure begins with: `y = `, `dx += `, `name: `, `1. `, or a word or two before a gap.
ENTRY = re.compile(r"[^=:]{1,40}?(\[.*?\])? ([-+*]?=|->) |[\w\[\]<>, ./*\"-]{1,40}: |\d+\. |\S+( \S+){0,2}  ")

Block = list[tuple[str, str]]  # of each line: the whole of it, and what is behind its mark or margin


def _comments(text: str, mark: str) -> Iterator[Block]:
    block: Block = []
    for line in [*text.splitlines(), ""]:
        if match := re.match(rf"\s*{mark}(?: (.*)|)$", line):
            block.append((line, match[1] or ""))
        elif block:
            yield block
            block = []


def _docstrings(text: str) -> Iterator[Block]:
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or not ast.get_docstring(node):
            continue
        where = node.body[0]
        yield [(line, line[where.col_offset :]) for line in lines[where.lineno - 1 : where.end_lineno]]


def _blocks(text: str, suffix: str) -> Iterator[Block]:
    if suffix == ".py":
        yield from _docstrings(text)
        yield from _comments(text, "#")
    else:
        yield from _comments(text, "///?")


def faults(text: str, suffix: str) -> list[str]:
    """The lines of figures that were wrapped, and those that prose follows without an empty line."""
    found = []
    for block in _blocks(text, suffix):
        figure = 0  # its indentation
        before = ""
        for (line, content), (_, after) in pairwise([*block, ("", "")]):
            indent, next_indent = (len(part) - len(part.lstrip()) for part in (content, after))
            if not before.strip() or figure:
                figure = indent if content.strip() and indent >= 2 else 0
            before = content
            if not figure or not after.strip() or content.lstrip().startswith((">>>", "...", "- ")):
                continue
            words = after.split()
            wrapped = len(line) + 1 + len(words[0]) > COLUMNS and words[0] != content.split()[0]
            split = next_indent == indent and wrapped and not ENTRY.match(after.lstrip())
            if split or (next_indent < 2 and words[0][0].islower()):
                found.append(line)
    return found


def test_equations_stand_alone() -> None:
    found = {path.relative_to(ROOT): faults(path.read_text(encoding="utf-8"), path.suffix) for path in FILES}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_formatter_leaves_comments_as_they_are() -> None:
    assert "ReflowComments: Never" in (ROOT / ".clang-format").read_text().splitlines()


# What stood in the files of these names.
WRAPPED = {
    "lstm.hpp": """\
//   i_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i + p_i c_{t-1})
//   f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f + p_f c_{t-1})        coupled: f_t = 1 - i_t, no weights of its
//   own g_t = tanh   (W_g x_t + U_g h_{t-1} + b_g) c_t = f_t c_{t-1} + i_t g_t o_t = sigmoid(W_o x_t + U_o
//   h_{t-1} + b_o + p_o c_t) h_t = o_t tanh(c_t)                                             the driver
//   projects it where there is a w_proj
//
// Gates i f g o (coupled: i g o).
""",
    "gelu.cpp": """\
//   gelu       y = x Phi(x)                    dx = dy (Phi(x) + x phi(x))                     Phi, phi:
//   normal.hpp gelu_tanh  y = x (1 + tanh(u)) / 2         = x s,  s = sigmoid(2u),  u = sqrt(2/pi) (x +
//   0.044715 x^3)
//              dx = dy (s + x s (1 - s) 2u'),  u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
""",
    "rmsprop.cpp": """\
//   g = grad + weight_decay w
//   s = alpha s + (1 - alpha) g^2            centered: a = alpha a + (1 - alpha) g, and s - a^2 in place of s
//   below u = g / (sqrt(s) + eps)                  with momentum: b = momentum b + u, and b in place of u w =
//   w - lr u
""",
    "gemm.hpp": """\
//   A    M x K, any strides: element (m, k) at data[m * row + k * col]
//   B    packed in panels of `lanes` columns: element (k, n) at data[(n / lanes) * panel + k * step + n %
//   lanes].
//        pack() makes panels (step = lanes, panel = K * lanes); a row-major matrix whose rows are padded to
""",
    "attention_scores.hpp": """\
//   s = scale q k^T       s = c tanh(s / c) with a soft cap c       s += float mask, bias       -inf where
//   masked
//
""",
    "attention_softmax.hpp": """\
//   P = exp(S - m) / sum          m = max_s S      sum = sum_s exp(S - m)          normalizer [.., 2] = (m,
//   sum)
//
""",
    "checkpoint.py": '''\
"""Checkpoints. To save:

    1. write model.safetensors.new and training.safetensors.new        (whole, on the disk)
    2. replace config.json                                              (the switch: from here on the new one
    holds) 3. rename both .new files into place
"""
''',
    "prose.hpp": """\
// The hidden state:
//
//   h_t = o_t tanh(c_t)
// where a projection follows.
""",
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_a_formatter_did_is_found(name: str) -> None:
    assert faults(WRAPPED[name], Path(name).suffix)
