"""Simplified Chinese of every sentence of the interface, one file per page. A test checks that none is missing."""

from __future__ import annotations

from recsys.app.i18n.zh import batch, common, data, dimensions, for_you, movie, quality

CHINESE: dict[str, str] = {}
for _words in (common, for_you, movie, dimensions, quality, data, batch):
    CHINESE |= _words.WORDS
