"""The calls."""

from __future__ import annotations

import io
import json
import os
import time
import uuid
from pathlib import Path
from typing import IO, Any, Callable, Iterable, Iterator, Mapping, Optional, Union

import httpx

from .errors import ApiError, JobFailed
from .types import Dataset, Estimate, Event, Prediction, Screening, Search, TrainingJob

Table = Union[str, Path, IO[bytes], Any]  # a path, an open file, or a pandas.DataFrame
Reference = Union[str, Mapping[str, Any]]  # an id or a name, or the record that holds it
Input = Union[str, Mapping[str, Any]]  # a SMILES, or an input as the API has it

TRIES = 5
FIRST_WAIT = 0.25  # seconds, doubled after each try
ENDED = ("succeeded", "failed", "cancelled")


class Client:
    """Talks to one server.

    ``token`` is a token of the server; left out, the environment's ``API_TOKEN``.
    Requests that are safe to repeat are repeated while the server is away: a
    training, a search, a screening and a prediction carry an idempotency key, so
    that none is made twice.
    """

    def __init__(
        self,
        server: str = "http://127.0.0.1:8080",
        token: Optional[str] = None,
        *,
        timeout: float = 60,
        transport: Optional[httpx.BaseTransport] = None,
    ):
        token = token if token is not None else os.environ.get("API_TOKEN", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=server.rstrip("/"), headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    # Datasets

    def upload(self, table: Table, *, name: Optional[str] = None, on_defect: str = "refuse") -> Dataset:
        """Uploads a table: a path (.csv, .csv.gz, .xlsx), an open file or a DataFrame.

        ``on_defect`` says what becomes of rows that cannot be read: ``refuse`` (the
        upload is refused and lists them), ``drop`` or ``keep``.
        """
        content, name = _content(table, name)
        # Another upload of the same content and name is the same dataset.
        return self._json("POST", "/v1/datasets", repeat=True, params={"on_defect": on_defect}, files={"file": (name, content)})

    def dataset(self, dataset: Reference) -> Dataset:
        """Shows a dataset, by id or by the name of a shipped one."""
        return self._json("GET", f"/v1/datasets/{_id(dataset)}")

    def datasets(self) -> Iterator[Dataset]:
        """Lists the datasets, newest first."""
        return self._list("/v1/datasets")

    def rows(self, dataset: Reference) -> str:
        """Reads the rows of a dataset, as CSV."""
        return self._send("GET", f"/v1/datasets/{_id(dataset)}/rows", repeat=True, headers={"Accept": "text/csv"}).text

    def report(self, dataset: Reference) -> dict[str, Any]:
        """Shows what the data doctor found in a dataset."""
        return self._json("GET", f"/v1/datasets/{_id(dataset)}/report")

    # Training

    def train(self, dataset: Union[Reference, list[Reference]], **settings: Any) -> TrainingJob:
        """Submits a training job. Settings are the fields of the API's body, such as
        ``recipe="accurate"``, ``prediction_columns=["Tg"]`` or ``epochs=100``."""
        return self._create("/v1/training-jobs", {"dataset": _ids(dataset), **settings})

    def estimate(self, dataset: Union[Reference, list[Reference]], **settings: Any) -> Estimate:
        """Says what a training job would take; nothing is created."""
        return self._json("POST", "/v1/training-jobs/estimate", repeat=True, json={"dataset": _ids(dataset), **settings})

    def job(self, job: Reference) -> TrainingJob:
        """Shows a training job."""
        return self._json("GET", f"/v1/training-jobs/{_id(job)}")

    def jobs(self, *, status: Optional[str] = None) -> Iterator[TrainingJob]:
        """Lists the training jobs, newest first."""
        return self._list("/v1/training-jobs", status=status)

    def cancel(self, of: Reference) -> dict[str, Any]:
        """Ends a training job, a search or a screening."""
        return self._json("POST", f"{_path(of)}/cancel", repeat=True)

    def pause(self, of: Reference) -> dict[str, Any]:
        """Stops a training job, a search or a screening where it is."""
        return self._json("POST", f"{_path(of)}/pause", repeat=True)

    def resume(self, of: Reference) -> dict[str, Any]:
        """Goes on where a training job, a search or a screening was left."""
        return self._json("POST", f"{_path(of)}/resume", repeat=True)

    def delete(self, of: Reference) -> None:
        """Deletes what is over, or a dataset."""
        self._send("DELETE", _path(of), repeat=True)

    def history(self, job: Reference, fold: int) -> dict[str, Any]:
        """What each epoch of a fold measured, under ``data``."""
        return self._json("GET", f"/v1/training-jobs/{_id(job)}/folds/{fold}/history")

    def follow(self, of: Reference) -> Iterator[Event]:
        """Yields the events of a training job, a search or a screening as they come,
        until it is over. A connection that breaks off goes on after the last event."""
        last: Optional[str] = None
        tries = 0
        while True:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            try:
                with self._http.stream("GET", f"{_path(of)}/events", headers=headers, timeout=httpx.Timeout(60, read=30)) as answer:
                    if answer.status_code == 204:  # over, and everything seen
                        return
                    if answer.status_code != 200:
                        answer.read()
                        raise ApiError.of(answer)
                    for event in _events(answer.iter_lines()):
                        tries, last = 0, event.get("id") or last
                        yield event
                if self._json("GET", _path(of))["status"] in ENDED:
                    return
            except (httpx.TransportError, ApiError) as error:
                if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
                    raise
                if tries >= TRIES:
                    raise
            _pause(tries)
            tries += 1

    def wait(
        self,
        of: Reference,
        *,
        progress: Optional[Callable[[dict[str, Any]], None]] = None,
        every: float = 2,
        timeout: Optional[float] = None,
    ) -> Any:
        """Waits until a training job, a search, a screening or a prediction has
        succeeded, and returns it. ``progress`` is called with the record at every
        look. Raises ``JobFailed`` where it fails, is cancelled or pauses."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            record = self._json("GET", _path(of))
            if progress:
                progress(record)
            if record["status"] == "succeeded":
                return record
            if record["status"] in (*ENDED, "paused"):
                raise JobFailed(record)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{record['id']} is still {record['status']} after {timeout:g} s")
            time.sleep(every)

    # Predictions

    def predict(
        self,
        inputs: Union[Input, Iterable[Input]],
        *,
        model: Optional[Mapping[str, str]] = None,
        wait: int = 60,
        **settings: Any,
    ) -> Prediction:
        """Predicts polymers. An input is a SMILES (of a repeat unit if it has ``*``, of a
        finished chain otherwise) or an object such as ``{"monomers": ["OCCO",
        "O=C(O)CCCCC(=O)O"], "mechanism": "auto"}``. Settings are fields of the API's
        body, such as ``explain=["atoms", "neighbours"]``.

        One bad input does not fail the others: its result has an ``error``.
        """
        if isinstance(inputs, (str, Mapping)):
            inputs = [inputs]
        body: dict[str, Any] = {"inputs": [_input(i) for i in inputs], **settings}
        if model:
            body["model"] = dict(model)
        asked = self._create("/v1/predictions", body, headers={"Prefer": f"wait={wait}"})
        if asked["status"] in ENDED:
            if asked["status"] != "succeeded":
                raise JobFailed(asked)
            return asked
        return self.wait(asked, every=0.5)

    def predict_table(self, table: Table, *, model: Optional[Mapping[str, str]] = None) -> str:
        """Predicts the rows of a CSV and returns a CSV: its columns, and the
        predictions behind them."""
        content, _ = _content(table, None)
        headers = {"Content-Type": "text/csv", "Accept": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        asked = self._send("POST", "/v1/predictions", repeat=True, content=content, headers=headers, params=dict(model or {})).json()
        done = self.wait(asked, every=0.5)
        return self._send("GET", _path(done), repeat=True, headers={"Accept": "text/csv"}).text

    # Models

    def models(self) -> Iterator[dict[str, Any]]:
        """Lists the revisions that can predict; the default one comes first."""
        return self._list("/v1/models")

    def promote(self, revision: str, to: str = "main", *, repo: Optional[str] = None) -> dict[str, Any]:
        """Moves a branch to a revision, or sets a tag."""
        body = {"revision": revision, "to": to, **({"repo": repo} if repo else {})}
        return self._json("POST", "/v1/models/promote", json=body)

    # Searches and screenings

    def search(self, dataset: Union[Reference, list[Reference]], space: Mapping[str, Any], *, job: Optional[Mapping[str, Any]] = None, **settings: Any) -> Search:
        """Submits a search of hyper-parameters. ``space`` is, for example,
        ``{"learning_rate": {"log": [1e-5, 1e-3]}}``; ``job`` holds the fields that every
        trial has; settings are ``method``, ``max_trials`` and the like."""
        body = {"job": {"dataset": _ids(dataset), **(job or {})}, "space": dict(space), **settings}
        return self._create("/v1/searches", body)

    def trials(self, search: Reference) -> Iterator[dict[str, Any]]:
        """Lists the trials of a search."""
        return self._list(f"/v1/searches/{_id(search)}/trials")

    def screen(self, library: Reference, **settings: Any) -> Screening:
        """Submits the prediction of a whole library. Settings are fields of the API's
        body: ``where``, ``order_by``, ``limit``, ``format``, ``model`` and the like."""
        return self._create("/v1/screenings", {"input": {"dataset": _id(library)}, **settings})

    def results(self, screening: Reference, to: Optional[Union[str, Path]] = None) -> bytes:
        """Reads the results of a screening, or writes them to a file as they come."""
        path = f"/v1/screenings/{_id(screening)}/results"
        if to is None:
            return self._send("GET", path, repeat=True).content
        with self._http.stream("GET", path) as answer, open(to, "wb") as file:
            if answer.status_code != 200:
                answer.read()
                raise ApiError.of(answer)
            for part in answer.iter_bytes():
                file.write(part)
        return b""

    # Requests

    def _create(self, path: str, body: Mapping[str, Any], headers: Optional[Mapping[str, str]] = None) -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex, **(headers or {})}
        return self._json("POST", path, repeat=True, json=body, headers=headers)

    def _list(self, path: str, **params: Any) -> Iterator[Any]:
        params = {k: v for k, v in params.items() if v is not None}
        while True:
            page = self._json("GET", path, params=params)
            yield from page["data"]
            if not page.get("has_more"):
                return
            params["after"] = page["next_after"]

    def _json(self, method: str, path: str, *, repeat: Optional[bool] = None, **request: Any) -> Any:
        return self._send(method, path, repeat=method == "GET" if repeat is None else repeat, **request).json()

    def _send(self, method: str, path: str, *, repeat: bool, **request: Any) -> httpx.Response:
        for tries in range(TRIES):
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError:
                if not repeat or tries == TRIES - 1:
                    raise
                _pause(tries)
                continue
            if answer.is_success:
                return answer
            error = ApiError.of(answer)
            again = answer.status_code == 429 or repeat and answer.status_code >= 500 and error.code != "model_not_loaded"
            if not again or tries == TRIES - 1:
                raise error
            _pause(tries, answer.headers.get("Retry-After"))
        raise AssertionError("unreachable")


_PATHS = {"tj": "training-jobs", "pj": "predictions", "ds": "datasets", "se": "searches", "sc": "screenings", "sd": "schedules"}


def _path(of: Reference) -> str:
    """The path of what an id names."""
    name = _id(of)
    kind = _PATHS.get(name.partition("_")[0])
    if kind is None:
        raise ValueError(f"{name!r} is not the id of a job, a prediction, a search, a screening or a dataset")
    return f"/v1/{kind}/{name}"


def _id(of: Reference) -> str:
    return of if isinstance(of, str) else of["id"]


def _ids(of: Union[Reference, list[Reference]]) -> Any:
    return [_id(o) for o in of] if isinstance(of, list) else _id(of)


def _input(given: Input) -> dict[str, Any]:
    if not isinstance(given, str):
        return dict(given)
    return {"smiles_repeat_unit": given} if "*" in given else {"smiles_polymer": given}


def _content(table: Table, name: Optional[str]) -> tuple[bytes, str]:
    """The bytes of a table and its name."""
    if isinstance(table, (str, Path)):
        return Path(table).read_bytes(), name or Path(table).name
    if hasattr(table, "to_csv"):
        text = io.StringIO()
        table.to_csv(text, index=False)
        return text.getvalue().encode(), name or "table.csv"
    return table.read(), name or Path(getattr(table, "name", "table.csv")).name


def _events(lines: Iterable[str]) -> Iterator[Event]:
    """Reads a stream of server-sent events."""
    event: dict[str, Any] = {}
    for line in lines:
        if not line:
            if "data" in event:
                yield {"id": event.get("id", ""), "type": event.get("event", "message"), "data": json.loads(event["data"])}
            event = {}
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data" and "data" in event:
            value = event["data"] + "\n" + value
        if field:
            event[field] = value


def _pause(tries: int, after: Optional[str] = None) -> None:
    asked = float(after) if after and after.isdigit() else 0.0
    time.sleep(max(FIRST_WAIT * 2**tries, min(asked, 60)))
