"""Who may start long work and see folders of the server: the owner.

Without `--public`, every session is the owner's. On a public page, a session is the owner's after entering the owner's
token or signing in with an account listed in `RECSYS_OWNERS`; all others are visitors.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import tempfile
import time
from collections import OrderedDict, deque
from pathlib import Path
from threading import Lock

import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say

PUBLIC = "RECSYS_PUBLIC"
"""Set by `recsys app`: "1" for a public page, "0" for this machine only. Without it the address decides."""
TOKEN = "RECSYS_ADMIN_TOKEN"
OWNERS = "RECSYS_OWNERS"
"""E-mail addresses of the owners, separated by commas, for signing in with an account."""
MAX_ATTEMPTS, PER_SECONDS = 5, 60.0
"""Wrong tokens answered from one address in that time. The right one always works: behind a proxy all visitors share an
address, and must not lock the owner out."""
_KEY = "is-owner"
_FOLDERS = re.compile(r"(?<![\w.~/-])(?:(?:[^\s/:'\"]+/+)*(?:~\w*|\.\.)/+|/+[^\s/:'\"]+/+)(?:[^\s/:'\"]+/+)*")
"""The folders of an absolute path, or of one that contains `..` or starts with `~`. Ends at a space or a quote."""
_PACKAGE = Path(__file__).resolve().parent.parent


class Attempts:
    """Counts recent attempts by the address they come from. Keeps the latest `MAX_ADDRESSES` addresses."""

    MAX_ADDRESSES = 1000

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def may_try(self, address: str, now: float) -> bool:
        """Whether one more attempt is allowed, which is then counted. `now` is in seconds."""
        with self._lock:
            times = self._times.setdefault(address, deque(maxlen=MAX_ATTEMPTS))
            self._times.move_to_end(address)
            while len(self._times) > self.MAX_ADDRESSES:
                self._times.popitem(last=False)
            if len(times) == MAX_ATTEMPTS and now - times[0] < PER_SECONDS:
                return False
            times.append(now)
            return True


ATTEMPTS = Attempts()


def is_public() -> bool:
    """Whether strangers can reach the page."""
    wanted = os.environ.get(PUBLIC)
    if wanted:
        return wanted != "0"
    address = str(st.get_option("server.address") or "")
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address != "localhost"


def is_owner() -> bool:
    """Whether this session may start long work and see folders of the server."""
    return not is_public() or bool(st.session_state.get(_KEY)) or _has_owner_account()


def draw_sign_in() -> None:
    """Draw the way in for the owner of a public page, if there is one."""
    has_token, has_accounts = bool(os.environ.get(TOKEN)), _has_accounts()
    if is_owner() or not (has_token or has_accounts):
        return
    with st.popover(say("Owner"), icon=":material/key:", type="tertiary"):
        if has_token:
            with st.form("owner", border=False):
                typed = st.text_input(say("Token of the owner"), type="password", max_chars=1000)
                if st.form_submit_button(say("Sign in")):
                    _try_token(typed)
        if has_accounts:
            st.button(say("Sign in with an account"), on_click=st.login)
            if st.user.get("is_logged_in"):
                st.caption(say("The account {name} is not an owner.", name=plain(str(st.user.get("email")))))


def _try_token(typed: str) -> None:
    if hmac.compare_digest(typed.encode("utf-8", "surrogatepass"), os.environ[TOKEN].encode()):
        st.session_state[_KEY] = True
        st.rerun()
    elif ATTEMPTS.may_try(_address_of_visitor(), time.monotonic()):
        st.error(say("This is not the token."))
    else:
        st.error(say("Too many attempts. Try again in a minute."))


def _address_of_visitor() -> str:
    return st.context.ip_address or "this machine"


def _has_accounts() -> bool:
    """Whether Streamlit's own sign-in is configured, in the section `auth` of secrets.toml, and owners are named."""
    return bool(os.environ.get(OWNERS)) and st.secrets.load_if_toml_exists() and "auth" in st.secrets


def _has_owner_account() -> bool:
    owners = {name.strip().casefold() for name in os.environ.get(OWNERS, "").split(",")} - {""}
    user = st.user
    return bool(
        owners
        and user.get("is_logged_in") is True
        and user.get("email_verified", True) is True
        and str(user.get("email", "")).casefold() in owners
    )


def shown_path(path: Path | str) -> str:
    """A path as this session may see it: visitors see its last name only."""
    return str(path) if is_owner() else Path(path).name


def without_folders(message: str) -> str:
    """An error message as this session may see it: visitors do not see the folders in it."""
    return message if is_owner() else _FOLDERS.sub("", _without_roots(message))


def _without_roots(message: str) -> str:
    """Remove the folders that the app works in, which may contain spaces and quotes. What follows them keeps its `/`,
    by which `_FOLDERS` finds the rest."""
    shown: dict[str, str] = {}
    settings = (os.environ.get(name) for name in ("RECSYS_DATA", "RECSYS_MODELS"))
    for root in (*filter(None, settings), "~", str(Path.cwd()), str(_PACKAGE), tempfile.gettempdir()):
        path = Path(os.path.expanduser(root))  # noqa: PTH111 - does not fail for an unknown user
        for written in (str(root), str(path), str(path.resolve())):
            if path.name not in ("", "..") and written != "/":
                shown[written.rstrip("/")] = "~" if root == "~" else path.name
    longest_first = "|".join(re.escape(root) for root in sorted(shown, key=len, reverse=True))
    pattern = rf"(?<![\w.~/-])({longest_first})(?:(?=/)|(?![\w-]|\.\w))"
    return re.sub(pattern, lambda found: "" if message.startswith("/", found.end()) else shown[found[1]], message)


def told(error: BaseException | str) -> str:
    """An error message for `st.error` and the like: `without_folders`, escaped."""
    return plain(without_folders(str(error)))
