"""The shapes of the API's answers. A server may send more than is named here."""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict

Status = Literal[
    "queued", "preparing", "running", "training", "finalizing", "publishing", "succeeded", "failed", "cancelled", "paused"
]


class Target(TypedDict, total=False):
    name: str
    column: str
    units: str
    count: int
    min: float
    median: float
    max: float


class Dataset(TypedDict, total=False):
    id: str
    name: str
    hash: str
    rows: int
    polymers: int
    columns: list[str]
    targets: list[Target]
    defects: list[dict[str, Any]]
    warnings: list[dict[str, str]]
    shipped: bool
    created_at: str


class Estimate(TypedDict, total=False):
    rows: int
    folds: int
    steps: int
    ms_per_step: float
    hours: float
    hours_range: list[float]
    usd: float
    memory_mb: float
    warnings: list[dict[str, str]]
    problems: list[dict[str, str]]


class Fold(TypedDict, total=False):
    index: int
    status: str
    epoch: int
    epochs: int
    loss: Optional[float]
    val_loss: Optional[float]
    eta_seconds: Optional[float]
    worker: Optional[str]


class Progress(TypedDict, total=False):
    fraction: float
    epochs_done: int
    epochs_total: int
    eta_seconds: Optional[float]


class TrainingJob(TypedDict, total=False):
    id: str
    status: Status
    status_reason: Optional[str]
    progress: Progress
    folds: list[Fold]
    metrics: dict[str, Any]
    published: Optional[dict[str, Any]]
    cost: dict[str, Any]
    warnings: list[dict[str, str]]
    error: Optional[dict[str, Any]]
    created_at: str
    finished_at: Optional[str]


class Event(TypedDict, total=False):
    """A message of a job's stream: its type, and its data as JSON."""

    id: str
    type: str
    data: Any


class Property(TypedDict, total=False):
    mean: Optional[float]
    std: Optional[float]
    interval90: Optional[list[float]]
    per_fold: list[Optional[float]]
    units: str
    quality: str


class Result(TypedDict, total=False):
    """The answer to one input: predictions, or an error."""

    smiles_polymer: str
    predictions: dict[str, Property]
    domain_of_validity: Optional[dict[str, Any]]
    warnings: list[dict[str, str]]
    error: dict[str, Any]


class Prediction(TypedDict, total=False):
    id: str
    status: Status
    counts: dict[str, int]
    model: dict[str, str]
    results: list[Result]
    error: Optional[dict[str, Any]]


class Screening(TypedDict, total=False):
    id: str
    status: Status
    counts: dict[str, int]
    rate: Optional[float]
    eta_seconds: Optional[float]
    error: Optional[dict[str, Any]]


class Search(TypedDict, total=False):
    id: str
    status: Status
    best: Optional[dict[str, Any]]
    progress: Progress
    error: Optional[dict[str, Any]]
