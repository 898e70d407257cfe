"""A client of the app without a browser: it speaks Streamlit's websocket protocol, as the frontend does.

It is independent of the pages: it stores the widgets it receives, changes them, and waits for the end of the run.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from types import TracebackType

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
TRIGGERS = "$$STREAMLIT_INTERNAL_KEY_{}__events"
"""Id of the widget that carries a component's triggers."""


class Broken(Exception):
    """A failure that a visitor would notice: an exception on the page, a closed socket, a run that does not end."""


@dataclass
class Run:
    """The response to one run of the script.

    seconds   from the request to the end of the run
    n_bytes   bytes received
    elements  with the fragment each belongs to, in order of arrival
    """

    seconds: float = 0.0
    n_bytes: int = 0
    elements: list[tuple[Element, str]] = field(default_factory=list)

    def texts(self) -> list[str]:
        return [element.markdown.body for element, _ in self.elements if element.HasField("markdown")]


class Visitor:
    """One session, used as an async context manager. Widgets keep their values, as in a browser."""

    def __init__(self, address: str, *, patience: float = 60.0) -> None:
        self.address = address
        self.patience = patience
        self.states: dict[str, WidgetState] = {}
        self.page = self.session = ""
        self.socket: ClientConnection | None = None

    async def __aenter__(self) -> Visitor:
        self.socket = await connect(
            f"ws://{self.address}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=f"http://{self.address}",  # type: ignore[arg-type]
            max_size=None,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.socket is not None:
            await self.socket.close()

    async def open(self) -> Run:
        """The first run: what a browser gets when it opens the page."""
        return await self._run("", [])

    async def change(self, widget: str, value: str, fragment: str) -> Run:
        """Set a widget whose value is sent as a string, such as stars counted from 0."""
        self.states[widget] = WidgetState(id=widget, string_value=value)
        return await self._run(fragment, [])

    async def rerun(self, fragment: str) -> Run:
        """Run again with the widgets as they are."""
        return await self._run(fragment, [])

    async def set_state(self, component: str, state: dict[str, object], fragment: str) -> Run:
        """Equivalent of a component's `setStateValue`."""
        self.states[component] = WidgetState(id=component, json_value=json.dumps(state))
        return await self._run(fragment, [])

    async def trigger(self, component: str, event: str, value: object, fragment: str) -> Run:
        """Equivalent of a component's `setTriggerValue`."""
        events = json.dumps([{"event": event, "value": value}])
        return await self._run(fragment, [WidgetState(id=TRIGGERS.format(component), json_trigger_value=events)])

    async def _run(self, fragment: str, triggers: list[WidgetState]) -> Run:
        assert self.socket is not None
        asked = BackMsg()
        asked.rerun_script.widget_states.widgets.extend([*self.states.values(), *triggers])
        asked.rerun_script.page_script_hash = self.page
        asked.rerun_script.fragment_id = fragment
        asked.rerun_script.context_info.locale = "en"
        asked.rerun_script.context_info.timezone = "UTC"
        run = Run()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.patience):
                await self.socket.send(asked.SerializeToString())
                while not await self._take(run):
                    pass
        except TimeoutError:
            raise Broken(f"the run did not end within {self.patience:.0f} s") from None
        except OSError as error:
            raise Broken(f"the socket closed: {error}") from None
        run.seconds = time.perf_counter() - started
        return run

    async def _take(self, run: Run) -> bool:
        """Process one message; returns whether it ended the run."""
        assert self.socket is not None
        received = await self.socket.recv(decode=False)
        run.n_bytes += len(received)
        message = ForwardMsg.FromString(received)
        kind = message.WhichOneof("type")
        if kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                raise Broken("the script does not compile")
            return message.script_finished in DONE
        if kind == "new_session":
            self.page = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id
        elif kind == "delta":
            self._keep(message.delta, run)
        elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
            raise Broken("the script does not compile")
        return False

    def _keep(self, delta: Delta, run: Run) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        element = delta.new_element
        if element.HasField("exception"):
            raise Broken(f"the page shows {element.exception.type}: {element.exception.message}")
        run.elements.append((element, delta.fragment_id))
        if element.HasField("feedback") and element.feedback.set_value:
            widget = element.feedback
            value = str(widget.value) if widget.HasField("value") else ""
            self.states[widget.id] = WidgetState(id=widget.id, string_value=value)
