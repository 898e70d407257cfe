"""The routes of the service. Each parses, asks `recsys.service.answers`, and returns what that gives."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import math
import re
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from recsys import __version__
from recsys.errors import InputError, RecsysError, UnknownId, quoted
from recsys.models import Model
from recsys.service import answers
from recsys.service.guard import LOG, Guard
from recsys.service.metrics import CONTENT_TYPE, Metrics
from recsys.service.schema import (
    AxesOut,
    Health,
    Item,
    Items,
    Length,
    Neighbours,
    Problem,
    Recommendations,
    Wish,
)
from recsys.service.served import Served, newest_stamp
from recsys.service.settings import RETRY_SECONDS, WATCH_SECONDS, Settings
from recsys.service.workers import Busy, Workers
from recsys.space.embedding import Metric
from recsys.threads import n_cores

T = TypeVar("T", bound=BaseModel)
DESCRIPTION = (
    "Recommendations, similar movies and search. Movies are named by title or id. "
    'Errors are `{"error": "one line"}`: 4xx what to change in the request, 503 what to try again later.'
)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "a request that cannot be answered",
        401: "no key, or a wrong one",
        404: "an unknown user, movie, genre or axis",
        413: "too large a body",
        422: "a value of a wrong type or out of its range",
        429: "too many requests of this address",
        503: "too much to do; try again later",
    }.items()
}
_ALTERNATIVE = re.compile(r"(int|str|constrained-\w+|(dict|list|tuple|nullable|function)\b.*)")
"""What pydantic calls the alternatives of a field that takes several types."""
MANY_NAMES = 100
"""Requests that name more movies are computed one at a time."""
SHORT = 100
"""Lists of known users up to this length are computed on the event loop; longer ones would hold it for milliseconds."""


class Service:
    """What is served now, and the task that replaces it when its folders are."""

    def __init__(self, settings: Settings, served: Served, stamp: tuple[object, ...]) -> None:
        self.settings, self.served, self.metrics = settings, served, Metrics()
        self.quick = Workers(n_cores(), 200)
        self.slow = Workers(1, 20)
        self.problem: str | None = None
        self._stamp, self._again = stamp, math.inf
        self._replaced: weakref.ref[Model] | None = None
        self._tell()

    def _tell(self) -> None:
        self.metrics.loaded.set(self.served.loaded_at.timestamp())
        self.metrics.items.set(len(self.served.model.item_ids))
        self.metrics.known_users.set(self.served.n_users)

    async def watch(self) -> None:
        """Look for a new model or new data, for ever."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Load the model again if it or its data were replaced, and serve that; requests meanwhile get the old one, and
        those that began with the old one end with it. What cannot be loaded is logged, and the old one stays."""
        settings = self.settings
        stamp: tuple[object, ...] = ()
        try:
            stamp = await asyncio.to_thread(newest_stamp, settings.model, settings.data)
            if self._replaced is not None:
                if self._replaced() is not None:  # a second after it was replaced: no request has it, so garbage does
                    tidy()
                self._replaced = None
                give_back()
            if stamp == self._stamp and time.monotonic() < self._again:
                return
            gc.disable()  # a collection would stop every request, for longer the larger the model is
            newer = await asyncio.to_thread(Served.load, settings.model, settings.data)
            gc.freeze()
        except Exception as error:  # noqa: BLE001 — whatever it is, the old model is served on, and a newer one may follow
            # What is damaged is tried again when it changes; what failed for another reason, also later.
            self._stamp = stamp
            self._again = math.inf if isinstance(error, RecsysError) else time.monotonic() + RETRY_SECONDS
            if self.problem is None:
                LOG.warning("the newer model is not served: %s", " ".join(str(error).split()) or type(error).__name__)
                self.metrics.reloads.labels("failed").inc()
            self.problem = _problem_of(error)
            return
        finally:
            gc.enable()
        self.served, self._replaced = newer, weakref.ref(self.served.model)
        self._stamp, self._again, self.problem = stamp, math.inf, None
        self.metrics.reloads.labels("swapped").inc()
        self._tell()
        LOG.info("now serving model %s", self.served.fingerprint[:12])

    async def answer(self, work: Callable[..., T], *arguments: Any, is_slow: bool = False) -> Response:
        """The answer of a worker, which also writes the JSON. The model stays the same while it works."""
        served = self.served
        try:
            return await (self.slow if is_slow else self.quick).run(lambda: as_json(work(served, *arguments)))
        except Busy:
            raise HTTPException(503, "too much to do; try again later", {"Retry-After": "1"}) from None

    def close(self) -> None:
        """Start nothing more."""
        self.quick.close()
        self.slow.close()


def _problem_of(error: BaseException) -> str:
    """What `/health` says of a model that cannot be loaded. It names no folder; the log does."""
    return f"the newer model or its data cannot be loaded ({type(error).__name__}); the log says why"


def tidy() -> None:
    """Collect garbage, and then leave out what is there: each full collection would visit every title."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Return free memory to the system. glibc keeps most of what loading a model needed: 100 to 200 MB of 1,250 with
    58,000 movies and 24.7 million ratings. Other C libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def as_json(found: BaseModel) -> Response:
    """A model as JSON, without the fields that were not asked for."""
    return Response(found.model_dump_json(exclude_unset=True), media_type="application/json")


def make_app(settings: Settings) -> ASGIApp:
    """The service as an ASGI application, with its model loaded. Raises RecsysError for an unusable folder."""
    stamp = newest_stamp(settings.model, settings.data)
    return app_of(Service(settings, Served.load(settings.model, settings.data), stamp))


def app_of(service: Service) -> ASGIApp:
    """The application around a service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tidy()
        watching = asyncio.create_task(service.watch())
        yield
        watching.cancel()
        service.close()

    app = FastAPI(
        title="recsys",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=PROBLEMS,
    )
    _add_errors(app)
    _add_routes(app, service)
    _add_pages(app, service)
    guarded: ASGIApp = Guard(app, service.settings, service.metrics)
    if service.settings.origins:
        guarded = CORSMiddleware(
            guarded,
            allow_origins=service.settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            max_age=600,
        )
    return guarded


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RecsysError)
    async def refused(request: Request, error: RecsysError) -> JSONResponse:
        return _problem(404 if isinstance(error, UnknownId) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = error.errors()
        first = max(errors, key=lambda one: len(one["loc"]))  # of several allowed forms, the one that fits best
        if first["type"] == "json_invalid":
            return _problem(422, f"the body is not JSON: {first['ctx']['error']}, at character {first['loc'][-1]}")
        parts = [str(part) for part in first["loc"] if part != "body" and not _ALTERNATIVE.fullmatch(str(part))]
        place = quoted(".".join(parts))[1:-1]
        more = len(errors) - 1
        line = f"{place}: {first['msg']}" if place else first["msg"]
        return _problem(422, line + (f" (and {more} more)" if more else ""))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return _problem(500, "an internal error; the log says where")  # the guard logs it

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        detail = str(error.detail)
        if detail == "There was an error parsing the body":
            detail = "the body is not JSON that can be read"
        return _problem(error.status_code, detail, dict(error.headers or {}))


def _problem(status: int, line: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": " ".join(line.split())}, status, headers)


def _add_routes(app: FastAPI, service: Service) -> None:
    async def recommended(wish: Wish) -> Response:
        n_names = len(wish.ratings or ()) + len(wish.allow or ()) + len(wish.deny)
        if wish.user is not None and wish.k <= SHORT and not (n_names or wish.steer or wish.explain):
            return as_json(_counted(service.served, wish))  # faster than handing it to a thread
        is_slow = bool(wish.steer) or wish.explain or n_names > MANY_NAMES
        return await service.answer(_counted, wish, is_slow=is_slow)

    def _counted(served: Served, wish: Wish) -> Recommendations:
        found = answers.recommend(served, wish)
        service.metrics.users.labels(found.origin).inc()
        return found

    @app.post("/recommend", response_model=Recommendations, tags=["movies"])
    async def recommend(wish: Wish) -> Response:
        """The best movies for a known user, or for anyone from their ratings."""
        return await recommended(wish)

    @app.get("/recommend", response_model=Recommendations, tags=["movies"])
    async def recommend_to_user(
        user: Annotated[str, Query(min_length=1, max_length=500)],
        k: Length = 10,
        genre: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006 — FastAPI copies it
        explain: bool = False,
    ) -> Response:
        """The same for a known user, without a body; `genre` may be repeated."""
        return await recommended(Wish.model_construct(user=user, k=k, genres=genre, explain=explain))

    @app.get("/similar", response_model=Neighbours, tags=["movies"])
    async def similar(
        item: Annotated[str, Query(min_length=1, max_length=500)], k: Length = 10, metric: Metric = "cosine"
    ) -> Response:
        """The movies most similar to one, which is named by title or id."""
        return await service.answer(answers.similar_to, item, k, metric)

    @app.get("/find", response_model=Items, tags=["movies"])
    async def find(q: Annotated[str, Query(min_length=1, max_length=200)], limit: Length = 10) -> Response:
        """The movies with titles like a text, misspelled or incomplete."""
        return await service.answer(answers.find, q, limit)

    @app.get("/items", response_model=Items, tags=["movies"])
    async def items(offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Length = 100) -> Response:
        """The catalogue, a page at a time."""
        return await service.answer(answers.page_of_items, offset, limit)

    @app.get("/items/{item}", response_model=Item, tags=["movies"])
    async def one_item(item: str) -> Response:
        """A movie, by title or id."""
        if len(item) > 500:
            raise InputError("a title has at most 500 letters")
        return await service.answer(lambda served: answers.item_at(served, served.row_of(item)))

    @app.get("/axes", response_model=AxesOut, tags=["movies"])
    async def axes() -> Response:
        """The axes and genres that `steer` takes."""
        return as_json(answers.axes_of(service.served))


def _add_pages(app: FastAPI, service: Service) -> None:
    page, script = ((resources.files("recsys.service") / name).read_bytes() for name in ("page.html", "page.js"))

    @app.get("/health", response_model=Health, tags=["service"])
    async def health() -> Response:
        """What is served. Needs no key."""
        return as_json(answers.health_of(service.served, service.problem))

    @app.get("/metrics", tags=["service"])
    async def metrics() -> Response:
        """Counts and times, for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.get("/", include_in_schema=False)
    async def description() -> Response:
        return Response(page, media_type="text/html; charset=utf-8")

    @app.get("/page.js", include_in_schema=False)
    async def page_script() -> Response:
        return Response(script, media_type="text/javascript; charset=utf-8")
