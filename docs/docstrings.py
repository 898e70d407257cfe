"""Renders our plain-text docstrings in the API reference: doctests and aligned lists become code blocks."""

from __future__ import annotations

import re
from typing import Any

import griffe

_LIST = re.compile(r"\S.*?\S {2,}\S|\S {2,}\S")  # "name   text", aligned by two spaces or more


def fenced(text: str) -> str:
    """Put paragraphs that are doctests, formulas (indented) or aligned lists between fences; leave prose alone."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.splitlines()
        if any(line.lstrip().startswith(">>>") for line in lines):
            paragraph = "```pycon\n" + paragraph + "\n```"
        elif any(_LIST.match(line) for line in lines) or all(line.startswith("    ") for line in lines):
            prose = next((at for at, line in enumerate(lines) if _LIST.match(line) or line.startswith("  ")), 0)
            paragraph = "\n".join([*lines[:prose], "", "```text", *lines[prose:], "```"])
        paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


class Docstrings(griffe.Extension):
    """Applies `fenced` to every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once for each loaded object."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
