"""What a person told the app: ratings, movies seen or not wanted. Their browser keeps it, for each data set apart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from recsys.app.session import Loaded

Hidden = Literal["seen", "not for me"]
MOST_KEPT = 20_000
"""Entries that are read back: nobody rates more, and what a browser sends is not ours to trust."""

_component = st.components.v2.component(
    "recsys.memory", js=(Path(__file__).parent / "memory.js").read_text(encoding="utf-8")
)


@dataclass
class Memory:
    """Of one session and one data set; 183 is another movie in another one.

    ratings  item id → stars, 0.5 … 5, the latest last
    hidden   item id → why it is not to be recommended
    """

    ratings: dict[Any, float] = field(default_factory=dict)
    hidden: dict[Any, Hidden] = field(default_factory=dict)
    is_changed: bool = False

    def rate(self, item: Any, stars: float | None) -> None:
        """Set, change or (None) take back a rating; whoever rates a movie has an opinion: it is no longer unwanted."""
        self.ratings.pop(item, None)
        if stars is not None:
            self.ratings[item] = float(stars)
            if self.hidden.get(item) == "not for me":
                del self.hidden[item]
        self.is_changed = True

    def hide(self, item: Any, why: Hidden | None) -> None:
        """Leave a movie out of the list from now on, or (None) let it come back."""
        self.hidden.pop(item, None)
        if why is not None:
            self.hidden[item] = why
        self.is_changed = True

    def clear(self) -> None:
        """Forget everything."""
        self.ratings.clear()
        self.hidden.clear()
        self.is_changed = True

    def to_json(self) -> str:
        """As the browser keeps it."""
        return json.dumps({"ratings": list(self.ratings.items()), "hidden": list(self.hidden.items())})

    def with_later(self, later: Memory) -> Memory:
        """This memory with what was told after it."""
        both = Memory(dict(self.ratings), dict(self.hidden), is_changed=True)
        for item, stars in later.ratings.items():
            both.rate(item, stars)
        for item, why in later.hidden.items():
            both.ratings.pop(item, None)
            both.hide(item, why)
        return both

    @classmethod
    def of_json(cls, text: str) -> Memory:
        """What a browser kept; whatever in it is no rating and no hidden movie is left out."""
        memory = cls()
        try:
            kept = json.loads(text)
        except (ValueError, RecursionError):  # no JSON, or numbers and nesting beyond reading
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
    """What this session knows of its person, for the data of this model."""
    return st.session_state.setdefault(_place(loaded), Memory())


def keep_memory(loaded: Loaded) -> None:
    """Hand the memory to the browser, or take over what it kept before. Call once a run, where ratings change."""
    place, memory = _place(loaded), memory_of(loaded)

    def take_over() -> None:
        told = st.session_state[f"{place}-browser"].get("kept")
        if isinstance(told, dict) and isinstance(told.get("kept"), str):
            kept = Memory.of_json(told["kept"])
            # Whoever rated while the page was still opening keeps both; another tab's word is the latest.
            is_early = memory.is_changed and told.get("why") == "opened"
            st.session_state[place] = kept.with_later(memory) if is_early else kept

    _component(
        key=f"{place}-browser",
        data={"name": loaded.data_name, "keep": memory.to_json() if memory.is_changed else None},
        on_kept_change=take_over,
        height=1,
    )


def _place(loaded: Loaded) -> str:
    return f"memory-{loaded.data_name}"


def _pairs(value: object) -> list[tuple[int | str, Any]]:
    """The pairs (id, anything) among what a browser sent."""
    entries = value[:MOST_KEPT] if isinstance(value, list) else []
    return [
        (entry[0], entry[1])
        for entry in entries
        if isinstance(entry, list) and len(entry) == 2 and type(entry[0]) in (int, str)
    ]
