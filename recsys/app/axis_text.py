"""Axes in words: the names of both ends, the evidence for an axis, and why an axis was not found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from recsys.app.i18n.translate import is_chinese, named, say
from recsys.app.session import Loaded, own_axes
from recsys.errors import InputError
from recsys.space.axis import UNNAMED, Axis
from recsys.space.evidence import MIN_ORDER, DiscoveryEvidence, ProbeEvidence


def named_axes(loaded: Loaded) -> list[Axis]:
    """Axes with a verified meaning: found for a question, kept in this session, or discovered and named."""
    stored = loaded.axes.all if loaded.axes is not None else ()
    names = {axis.name for axis in stored}
    own = (axis for axis in own_axes(loaded) if axis.name not in names)
    return [axis for axis in (*stored, *own) if axis.is_valid]


def ends_of(axis: Axis) -> tuple[str, str]:
    """Names of the low and the high end in the user's language; an unnamed end is "not" the other one."""
    if axis.low == axis.high == UNNAMED:
        return say("low end"), say("high end")
    if axis.low in (UNNAMED, f"not {axis.high}"):
        return say("not {name}", name=_after_a_word(axis.high)), named(axis.high)
    if axis.high == UNNAMED:
        return named(axis.low), say("not {name}", name=_after_a_word(axis.low))
    return named(axis.low), named(axis.high)


def _after_a_word(name: str) -> str:
    """A name after another word: Chinese puts a space between its characters and digits or Latin letters."""
    words = named(name)
    return f" {words}" if is_chinese() and words[:1].isascii() else words


def too_few_known(loaded: Loaded) -> str | None:
    """Why a model can have no axes and no report: too few movies with enough ratings; None if it can."""
    try:
        _ = loaded.model.attributes.well_known
    except InputError as error:
        return str(error)
    return None


def spoken(axis: Axis) -> Axis:
    """The axis with the names of `ends_of`, for charts, which take the names from the axis."""
    low, high = ends_of(axis)
    return replace(axis, low=low, high=high)


def title_of(axis: Axis) -> str:
    """A unique title: "children's ↔ adult", "axis 2: not Action ↔ Action"."""
    low, high = ends_of(axis)
    number = number_of(axis)
    if axis.low == axis.high == UNNAMED and number is not None:
        return say("axis {n} (unnamed)", n=number)
    return f"{low} ↔ {high}" if number is None else say("axis {n}: {ends}", n=number, ends=f"{low} ↔ {high}")


def number_of(axis: Axis) -> int | None:
    """The number of a discovered axis; None for others."""
    found = re.fullmatch(r"axis (\d+)", axis.name)
    return int(found[1]) if found else None


def evidence_in_short(axis: Axis) -> str:
    """The strongest evidence for an axis, in a few words."""
    evidence = axis.evidence
    if isinstance(evidence, ProbeEvidence):
        values = {"value": evidence.value, "low": evidence.low, "high": evidence.high}
        if evidence.measure == "auc":
            return say("AUC {value:.2f} ({low:.2f}–{high:.2f})", **values)
        return say("rank correlation {value:.2f} ({low:.2f}–{high:.2f})", **values)
    names = () if evidence is None else (*evidence.low, *evidence.high)
    if not names:
        return say("no verified name")
    best = max(names, key=lambda name: name.auc)
    values = {"value": best.auc, "low": best.auc_low, "high": best.auc_high}
    return say("AUC {value:.2f} ({low:.2f}–{high:.2f})", **values)


def evidence_of(axis: Axis) -> str:
    """The evidence for an axis in sentences, with the controls next to it."""
    evidence = axis.evidence
    if isinstance(evidence, ProbeEvidence):
        return _evidence_of_question(evidence, *ends_of(axis))
    return "" if evidence is None else _evidence_of_discovery(evidence, axis.is_valid)


def _evidence_of_question(evidence: ProbeEvidence, low: str, high: str) -> str:
    interval = {"value": evidence.value, "low": evidence.low, "high": evidence.high}
    given = evidence.by_definition
    if evidence.measure == "spearman":
        first = say(
            "It orders held-out movies from {a} to {b}: rank correlation {value:.2f} (95% interval "
            "{low:.2f}–{high:.2f}).",
            a=low,
            b=high,
            **interval,
        )
    elif evidence.folds:
        first = say(
            "It separates {a} from {b} on held-out movies ({n}-fold cross-validation): AUC {value:.2f} (95% "
            "interval {low:.2f}–{high:.2f}).",
            n=len(evidence.folds),
            a=low,
            b=high,
            **interval,
        )
    else:
        first = say(
            "It separates {a} from {b} on held-out movies (leave-pair-out): AUC {value:.2f} (95% interval "
            "{low:.2f}–{high:.2f}).",
            a=low,
            b=high,
            **interval,
        )
    simpler = {"popularity": say("popularity alone"), "year": say("release year alone")}
    told = [
        say("{control} reaches {value:.2f}", control=words, value=evidence.controls[f"{name} alone"])
        for name, words in simpler.items()
        if name not in given and f"{name} alone" in evidence.controls
    ]
    told.append(say("shuffled labels reach {value:.2f}", value=evidence.controls["shuffled"]))
    note = say("(Popularity is part of the question, so it is not a control.)") if "popularity" in given else ""
    return joined(first, listed(told), note)


def joined(*sentences: str) -> str:
    """Non-empty sentences joined; Chinese has no space between sentences."""
    return ("" if is_chinese() else " ").join(sentence for sentence in sentences if sentence)


def listed(parts: Sequence[str]) -> str:
    """Parts enumerated as one sentence."""
    text = enumerated(parts)
    return text[:1].upper() + text[1:] + ("。" if is_chinese() else ".")


def enumerated(parts: Sequence[str]) -> str:
    """Parts separated by the comma of the language."""
    return say(", ").join(parts)


def _evidence_of_discovery(evidence: DiscoveryEvidence, is_named: bool) -> str:
    told = [
        say(
            "{name} (AUC {value:.2f}, 95% interval {low:.2f}–{high:.2f})",
            name=named(name.attribute), value=name.auc, low=name.auc_low, high=name.auc_high,
        )
        for name in (*evidence.low, *evidence.high)
    ]  # fmt: skip
    parts = []
    if told and is_named:
        parts.append(say("Names verified on held-out movies: {list}.", list=enumerated(told)))
    if evidence.stability is not None:
        parts.append(
            say(
                "Stability when retrained on other users: {stability:.2f}.",
                stability=evidence.stability,
            )
        )
    return joined(*parts)


def why_not(axis: Axis) -> str:
    """Why no axis was found for a question."""
    evidence = axis.evidence
    if not isinstance(evidence, ProbeEvidence):
        return ""
    if evidence.order < MIN_ORDER:
        return say(
            "It orders {order:.1%} of held-out pairs correctly; at least {least:.0%} is required, and chance "
            "gives 50%.",
            order=evidence.order,
            least=MIN_ORDER,
        )
    if not evidence.beats_chance:
        return say("There are too few movies to rule out chance.")
    return say("Popularity or the release year alone does as well.")
