"""Every sentence of the interface has its Chinese, with the same values in it."""

from __future__ import annotations

import ast
import importlib
import string
from pathlib import Path

import pytest

from recsys.app.i18n.translate import KEY, SIMPLIFIED_CHINESE, named, say
from recsys.app.i18n.zh import CHINESE
from recsys.ingest.datasets import DATASETS

APP = Path(__file__).resolve().parents[2] / "recsys" / "app"
PAGES = sorted(path for path in APP.rglob("*.py") if "zh" not in path.parts)


def calls(path: Path, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def options(call: ast.Call) -> list[ast.expr]:
    """What may be said: both of an `a if b else c`."""
    first = call.args[0]
    return [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]


def sentences() -> list[str]:
    """Every literal that is passed to `say`, both of an `a if b else c`."""
    found = []
    for path in PAGES:
        for call in calls(path, "say"):
            options = (
                [call.args[0].body, call.args[0].orelse] if isinstance(call.args[0], ast.IfExp) else [call.args[0]]
            )
            found += [option.value for option in options if isinstance(option, ast.Constant)]
    return sorted(set(found))


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("sentence", sentences())
def test_every_sentence_has_its_chinese_with_the_same_values(sentence: str) -> None:
    assert sentence in CHINESE, f"no Chinese for {sentence!r}"
    assert fields(CHINESE[sentence]) == fields(sentence)


def test_no_sentence_has_two_translations() -> None:
    found: dict[str, str] = {}
    for path in sorted((APP / "i18n" / "zh").glob("[a-z]*.py")):
        words = importlib.import_module(f"recsys.app.i18n.zh.{path.stem}").WORDS
        twice = {english for english in words.keys() & found.keys() if words[english] != found[english]}
        assert not twice, f"{path.name}: {twice}"
        found |= words


def test_there_are_sentences_to_look_at() -> None:
    assert len(sentences()) > 100


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_is_said_is_written_where_it_is_said(path: Path) -> None:
    """A sentence that is put together elsewhere would escape the test above; tables of sentences are named so."""
    for call in calls(path, "say"):
        for option in options(call):
            is_table = isinstance(option, ast.Name | ast.Subscript | ast.Attribute)
            assert isinstance(option, ast.Constant) or is_table, f"{path.name}: line {call.lineno}"


def test_values_are_filled_in_and_english_is_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    assert say("You rated {n}", n=3) == "You rated 3"
    monkeypatch.setitem(st.session_state, KEY, SIMPLIFIED_CHINESE)
    assert say("You rated {n}", n=3) == "已评分 3 部"
    assert say("no such sentence {n}", n=3) == "no such sentence 3"
    assert named("light ↔ dark") == "轻松 ↔ 黑暗"
    assert named("Horror, 1980s") == "恐怖、1980 年代"
    assert named("Film of nobody") == "Film of nobody"


def test_the_genres_of_movielens_have_chinese_names(ml100k) -> None:
    assert "ml-100k" in DATASETS
    assert not [genre for genre in ml100k.catalog.genre_names if genre not in CHINESE]
