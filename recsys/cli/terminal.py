"""The terminal at its lowest level: streams that may be closed or full, characters that must not reach it, error lines.

Imports nothing heavy: `--help` and error lines need it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

MOST_LINE = 1000
"""An error line is cut in its middle to this many characters."""
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except the line feed, characters that change the direction of text, and lone surrogates."""


def visible(text: str) -> str:
    r"""The text with control characters and direction overrides written as escapes, such as `\x1b`.

    Titles, ids and file names come from outside. Printed raw, they could clear the screen, change the title of the
    window or show words in another order. Line feeds stay.
    """
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def visible_json(text: str) -> str:
    r"""JSON text with the same characters written as the escapes of JSON, such as `\u009b`: it parses to the same."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def complain(line: str, status: int = 2) -> int:
    """Print an error as one line on stderr, and return the exit status."""
    line = visible(" ".join(line.splitlines()))
    if len(line) > MOST_LINE:
        line = f"{line[: MOST_LINE // 2]} … {line[-MOST_LINE // 2 :]}"
    try:
        print(f"recsys: {line}", file=sys.stderr, flush=True)
    except OSError:  # stderr is full or closed: only the status can tell
        discard(sys.stderr)
    return status


class _NamedStream:
    """A text stream whose errors carry its name, as those of files carry a path."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        with self._naming():
            return int(self._stream.write(text))

    def flush(self) -> None:
        with self._naming():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = self._name
            raise


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Standard streams that a command can always print on.

    A stream that is closed is opened on the null device, as Git does: otherwise the next file to be opened gets its
    number, and output goes into that file. A character that the encoding lacks is written as an escape. An error in
    writing to standard output names it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not redirected to a text in memory
            stream.reconfigure(errors="backslashreplace")
    original = sys.stdout
    sys.stdout = _NamedStream(original, "standard output")
    try:
        yield
    finally:
        sys.stdout = original


def discard(stream: Any) -> None:
    """Send what is left in a stream to the null device: flushing it when Python exits would fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """No warnings and log records of libraries on the screen, unless `-W` or PYTHONWARNINGS asks for them.

    They describe the libraries' internals; what a user needs to know is in the result or in an error line.
    """
    if sys.warnoptions:
        yield
        return
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.showwarning = lambda *_args, **_options: None  # libraries add filters of their own
        logging.disable()
        try:
            yield
        finally:
            logging.disable(disabled)
