"""Every sentence of the interface has a Chinese translation with the same values."""

from __future__ import annotations

import ast
import importlib
import string
from pathlib import Path

import pytest

from recsys.app.i18n.translate import KEY, SIMPLIFIED_CHINESE, named, say
from recsys.app.i18n.zh import CHINESE

APP = Path(__file__).resolve().parents[2] / "recsys" / "app"
PAGES = sorted(path for path in APP.rglob("*.py") if "zh" not in path.parts)


def calls(path: Path, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def options(call: ast.Call) -> list[ast.expr]:
    """The possible first arguments: both branches of `a if b else c`, also nested ones."""
    found, rest = [], [call.args[0]]
    while rest:
        option = rest.pop()
        if isinstance(option, ast.IfExp):
            rest += [option.body, option.orelse]
        else:
            found.append(option)
    return found


def sentences() -> list[str]:
    """Every literal that is passed to `say`."""
    found = {
        option.value
        for path in PAGES
        for call in calls(path, "say")
        for option in options(call)
        if isinstance(option, ast.Constant)
    }
    return sorted(found)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("sentence", sentences())
def test_every_sentence_has_a_translation_with_the_same_values(sentence: str) -> None:
    assert sentence in CHINESE, f"no Chinese for {sentence!r}"
    assert fields(CHINESE[sentence]) == fields(sentence)


def test_no_sentence_has_two_translations() -> None:
    found: dict[str, str] = {}
    for path in sorted((APP / "i18n" / "zh").glob("[a-z]*.py")):
        words = importlib.import_module(f"recsys.app.i18n.zh.{path.stem}").WORDS
        twice = {english for english in words.keys() & found.keys() if words[english] != found[english]}
        assert not twice, f"{path.name}: {twice}"
        found |= words


def test_the_sentences_are_found() -> None:
    assert len(sentences()) > 250
    assert {"For you", "Watch next", "Rate a few movies to make this yours."} < set(sentences())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(APP)))
def test_every_sentence_is_a_literal_where_it_is_used(path: Path) -> None:
    """A sentence that is assembled or stored elsewhere would escape the tests above."""
    for call in calls(path, "say"):
        for option in options(call):
            assert isinstance(option, ast.Constant), f"{path.name}: line {call.lineno}: {ast.unparse(option)}"


@pytest.mark.parametrize("table", ["for_you", "movie"])
def test_every_translation_of_a_page_is_used(table: str) -> None:
    words = importlib.import_module(f"recsys.app.i18n.zh.{table}").WORDS
    assert not words.keys() - set(sentences())


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
    genres = ml100k.catalog.genre_names
    assert len(genres) == 18
    assert not [genre for genre in genres if not any("\u4e00" <= letter <= "\u9fff" for letter in CHINESE[genre])]
