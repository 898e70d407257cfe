"""A person's ratings and hidden movies: kept in their browser, separately for each data set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from recsys.app.session import Loaded

Hidden = Literal["seen", "not for me"]
MOST_KEPT = 10_000
"""Ratings, and hidden movies, that a session keeps; the oldest are dropped. Input from a browser is not trusted."""

_component = st.components.v2.component(
    "recsys.memory", js=(Path(__file__).parent / "memory.js").read_text(encoding="utf-8")
)


@dataclass
class Memory:
    """Ratings and hidden movies of one session and one data set.

    ratings     item id → stars, 0.5 … 5, the latest last
    hidden      item id → why it is not recommended
    is_changed  whether it differs from what the browser keeps
    """

    ratings: dict[Any, float] = field(default_factory=dict)
    hidden: dict[Any, Hidden] = field(default_factory=dict)
    is_changed: bool = False

    def rate(self, item: Any, stars: float | None) -> None:
        """Set, change or (None) remove a rating. A rated movie is no longer hidden as "not for me"."""
        self.ratings.pop(item, None)
        if stars is not None:
            self.ratings[item] = float(stars)
            _drop_oldest(self.ratings)
            if self.hidden.get(item) == "not for me":
                del self.hidden[item]
        self.is_changed = True

    def hide(self, item: Any, why: Hidden | None) -> None:
        """Hide a movie from recommendations, or (None) unhide it."""
        self.hidden.pop(item, None)
        if why is not None:
            self.hidden[item] = why
            _drop_oldest(self.hidden)
        self.is_changed = True

    def clear(self) -> None:
        """Remove all ratings and hidden movies."""
        self.ratings.clear()
        self.hidden.clear()
        self.is_changed = True

    def to_json(self) -> str:
        """The JSON that the browser stores."""
        return json.dumps({"ratings": list(self.ratings.items()), "hidden": list(self.hidden.items())})

    def with_later(self, later: Memory) -> Memory:
        """A copy of this memory with later changes applied; of two entries for one movie, the later one wins."""
        both = Memory(dict(self.ratings), dict(self.hidden), is_changed=True)
        for item, stars in later.ratings.items():
            both.rate(item, stars)
        for item, why in later.hidden.items():
            both.ratings.pop(item, None)
            both.hide(item, why)
        return both

    @classmethod
    def of_json(cls, text: str) -> Memory:
        """Read what a browser stored; invalid entries are skipped."""
        memory = cls()
        try:
            kept = json.loads(text)
        except (ValueError, RecursionError):  # not JSON, or numbers too long or nesting too deep to parse
            return memory
        if not isinstance(kept, dict):
            return memory
        for item, stars in _pairs(kept.get("ratings")):
            if type(stars) in (int, float) and 0.5 <= stars <= 5:
                memory.ratings[item] = float(stars)
        for item, why in _pairs(kept.get("hidden")):
            if why in ("seen", "not for me"):
                memory.hidden[item] = why
        return memory


def memory_of(loaded: Loaded) -> Memory:
    """The memory of this session for the data of this model."""
    return st.session_state.setdefault(_key(loaded), Memory())


def keep_memory(loaded: Loaded) -> None:
    """Send changes to the browser, and take over what it stored before. Call once per run, where ratings change."""
    key, memory = _key(loaded), memory_of(loaded)

    def take_over() -> None:
        sent = st.session_state[f"{key}-browser"].get("kept")
        if isinstance(sent, dict) and isinstance(sent.get("kept"), str):
            kept = Memory.of_json(sent["kept"])
            # Ratings made while the page was opening are merged; a change in another tab replaces everything.
            is_early = memory.is_changed and sent.get("why") == "opened"
            st.session_state[key] = kept.with_later(memory) if is_early else kept

    _component(
        key=f"{key}-browser",
        data={"name": loaded.data_name, "keep": memory.to_json() if memory.is_changed else None},
        on_kept_change=take_over,
        height=1,
    )


def _key(loaded: Loaded) -> str:
    return f"memory-{loaded.data_name}"


def _drop_oldest(kept: dict[Any, Any]) -> None:
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]


def _pairs(value: object) -> list[tuple[int | str, Any]]:
    """The valid pairs (id, value) in a list that a browser sent."""
    entries = value[:MOST_KEPT] if isinstance(value, list) else []
    return [
        (entry[0], entry[1])
        for entry in entries
        if isinstance(entry, list) and len(entry) == 2 and type(entry[0]) in (int, str)
    ]
