"""The JSON that goes in and out, as pydantic models: they check requests and describe the service in OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from recsys.errors import quoted
from recsys.limits import MOST_RATINGS
from recsys.recommend.steer import FARTHEST
from recsys.service.settings import MOST_ITEMS, MOST_LISTED, MOST_RATED, MOST_SHIFTS
from recsys.space.embedding import Metric

Name = Annotated[
    StrictInt | Annotated[StrictStr, Field(min_length=1, max_length=500)], Field(union_mode="left_to_right")
]
Stars = Annotated[float, Field(allow_inf_nan=False, strict=True, ge=-1e6, le=1e6)]
Amount = Annotated[float, Field(allow_inf_nan=False, strict=True, ge=-FARTHEST, le=FARTHEST)]
Title = Annotated[str, Field(min_length=1, max_length=500)]
Year = Annotated[StrictInt, Field(ge=-9999, le=9999)]
Ratings = Annotated[StrictInt, Field(ge=0, le=MOST_RATINGS)]
Length = Annotated[int, Field(ge=1, le=MOST_ITEMS)]


class _Asked(BaseModel):
    """What a client sends. Lists stop at their first error, and so do unknown fields: a body of many errors would hold
    the event loop for 100 ms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_field(cls, given: Any) -> Any:
        unknown = next((name for name in given if name not in cls.model_fields), None) if type(given) is dict else None
        if unknown is not None:
            known = ", ".join(cls.model_fields)
            raise PydanticCustomError("unknown_field", "there is no field {name}; the fields are {known}",
                                      {"name": quoted(unknown), "known": known})  # fmt: skip
        return given


class Rated(_Asked):
    """A movie, by title or id, and its rating."""

    item: Name
    rating: Stars


class Wish(_Asked):
    """Whom to recommend to, and what may be recommended. Exactly one of `user` and `ratings` is given."""

    user: Name | None = Field(None, description="id of a user of the data")
    ratings: (
        Annotated[dict[Title, Stars], Field(max_length=MOST_RATED)]
        | Annotated[list[Rated], Field(max_length=MOST_RATED, fail_fast=True)]
        | None
    ) = Field(None, description='what a new user rated: {"Alien": 5}, by title or id, or [{"item": 1214, "rating": 5}]')
    k: Annotated[StrictInt, Field(ge=1, le=MOST_ITEMS)] = Field(10, description="length of the list")
    genres: Annotated[list[Title], Field(max_length=100, fail_fast=True)] = Field(
        [], description="only movies with one of these genres"
    )
    years: tuple[Year | None, Year | None] | None = Field(
        None, description="only movies from the first to the last year; null leaves an end open"
    )
    min_ratings: Ratings | None = Field(None, description="only movies with at least so many ratings in training")
    max_ratings: Ratings | None = Field(None, description="only movies with at most so many: leaves out hits")
    allow: Annotated[list[Name], Field(max_length=MOST_LISTED, fail_fast=True)] | None = Field(
        None, description="only these movies, by title or id"
    )
    deny: Annotated[list[Name], Field(max_length=MOST_LISTED, fail_fast=True)] = Field(
        [], description="none of these movies"
    )
    exclude_seen: bool = Field(True, description="leave out what the user has rated")
    steer: Annotated[dict[Title, Amount], Field(max_length=MOST_SHIFTS)] = Field(
        {}, description="move the user along axes: an end or an axis from /axes, or a genre → amount"
    )
    explain: bool = Field(False, description="add the rated movies that contribute most to each score")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ratings": {"Toy Story (1995)": 5, "Alien (1979)": 4}, "k": 5, "genres": ["Sci-Fi"], "explain": True}
            ]
        }
    )


class Item(BaseModel):
    """A movie."""

    item_id: int | str
    title: str
    year: int | None
    genres: list[str]
    tags: list[str]
    n_ratings: int


class Items(BaseModel):
    """A page of the catalogue, or what a search found, best first."""

    total: int = Field(description="movies in the catalogue, or found")
    items: list[Item]


class ReasonOut(BaseModel):
    """A rated movie, and what it adds to a score."""

    item_id: int | str
    title: str
    share: float


class Recommendation(BaseModel):
    """One row of a list. The last four are there if they were asked for by `steer` or `explain`."""

    rank: int
    item_id: int | str
    title: str
    score: float
    taste: float | None = Field(None, description="the score before steering")
    rank_before: int | None = Field(None, description="the rank before steering")
    gains: dict[str, float] | None = Field(None, description="what each axis adds to the score")
    reasons: list[ReasonOut] | None = None


class Recommendations(BaseModel):
    """A list for one user, best first. It is shorter than `k` where there are fewer candidates."""

    origin: Literal["stored", "folded in", "cold"] = Field(
        description="stored: a user of the training data; folded in: from ratings; cold: without any, popular movies"
    )
    model: str = Field(description="fingerprint of the model")
    recommendations: list[Recommendation]


class Neighbour(BaseModel):
    """A similar movie."""

    rank: int
    item_id: int | str
    title: str
    similarity: float


class Neighbours(BaseModel):
    """The movies most similar to one, most similar first."""

    item_id: int | str
    title: str
    metric: Metric
    model: str
    similar: list[Neighbour]


class AxisOut(BaseModel):
    """An axis to steer along: by its name, or by one of its ends."""

    name: str
    low: str
    high: str
    is_valid: bool = Field(description="whether tests found the axis in the space; only then it can be used")


class AxesOut(BaseModel):
    """The axes and the genres that `steer` takes."""

    axes: list[AxisOut]
    genres: list[str]


class Health(BaseModel):
    """What is served."""

    status: Literal["ok"]
    model: str = Field(description="name of the model's kind")
    fingerprint: str
    loaded_at: str = Field(description="when the model was loaded, UTC")
    n_items: int
    n_users: int = Field(description="known users")
    knows_ratings: bool = Field(description="whether the ratings of known users are at hand")
    problem: str | None = Field(description="why a newer model or newer data are not served; null: they are the newest")


class Problem(BaseModel):
    """What is wrong with a request, in one line."""

    error: str
