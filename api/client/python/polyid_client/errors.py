"""What goes wrong."""

from __future__ import annotations

from typing import Any, Mapping

import httpx


class ApiError(Exception):
    """A refusal of the server, as RFC 9457 describes it.

    ``code`` names the problem for programs; ``errors`` lists every value that was
    refused as ``{"pointer": …, "detail": …}``.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]):
        self.status = status
        self.code: str = problem.get("code", "")
        self.detail: str = problem.get("detail", "")
        self.errors: list[dict[str, str]] = list(problem.get("errors") or [])
        lines = [self.detail or problem.get("title") or f"the server answers {status}"]
        lines += [f"{e.get('pointer', '')}: {e.get('detail', '')}" for e in self.errors]
        super().__init__("\n".join(lines))

    @classmethod
    def of(cls, answer: httpx.Response) -> ApiError:
        """The error that an answer is."""
        try:
            problem = answer.json()
        except ValueError:
            problem = {"detail": f"{answer.request.method} {answer.request.url} answers {answer.status_code}"}
        return cls(answer.status_code, problem if isinstance(problem, dict) else {})


class JobFailed(Exception):
    """A training, a prediction, a screening or a search that did not succeed.

    ``record`` is what the server says of it.
    """

    def __init__(self, record: Mapping[str, Any]):
        self.record = record
        error = record.get("error") or {}
        reason = error.get("detail") or record.get("status_reason") or ""
        super().__init__(f"{record.get('id')} is {record.get('status')}" + (f": {reason}" if reason else ""))
