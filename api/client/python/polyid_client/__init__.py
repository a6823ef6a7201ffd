"""A client of polyid-trainer: upload a table, train, follow, predict, screen.

    from polyid_client import Client

    with Client("http://127.0.0.1:8080") as polyid:
        table = polyid.upload("polymers.csv", on_defect="drop")
        job = polyid.wait(polyid.train(table, recipe="accurate"))
        answer = polyid.predict(["*CC(*)c1ccccc1"])

Answers are the API's own JSON, typed as dictionaries (see ``types``); what a
server adds later is there at once. Errors are ``ApiError``, with the problems
that the server lists.
"""

from .client import Client
from .errors import ApiError, JobFailed
from .types import Dataset, Estimate, Event, Prediction, Result, Screening, Search, TrainingJob

__all__ = [
    "ApiError",
    "Client",
    "Dataset",
    "Estimate",
    "Event",
    "JobFailed",
    "Prediction",
    "Result",
    "Screening",
    "Search",
    "TrainingJob",
]
