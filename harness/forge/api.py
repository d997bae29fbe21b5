"""HTTP to a forge: authorised, patient where the forge asks for patience, and clear about what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

_TIMEOUT = (10.0, 30.0)
_LONGEST_WAIT = 120.0
_FORBIDDEN = 403
_TOO_MANY = 429
_SERVER_ERROR = 500


class ForgeProblem(RuntimeError):
    """There is no comment; the message says why and what to do, and never contains the token."""


class NoAnswer(ForgeProblem):
    """The forge failed or fell silent, so nobody knows whether it did what it was asked to do."""


class Api:
    """A forge's REST API.

    Requests that may be repeated are repeated when the forge fails, all are when it limits their rate, and its
    ``Retry-After`` is honoured.

    Args:
        base: URL that the paths are appended to.
        token: authorises every request.
        variable: the one that holds it, for messages.
        headers: sent with every request.
        refused: what to do when the forge says that the token may not do this.

    Raises:
        ForgeProblem: the token cannot be one.
    """

    def __init__(self, base: str, *, token: str, variable: str, headers: dict[str, str], refused: str) -> None:
        self._base = base.rstrip("/")
        self._variable = variable
        self._refused = refused
        self._session = requests.Session()
        self._session.auth = _Bearer(_checked(token, variable))
        self._session.headers.update(headers)
        self._session.mount(self._base, HTTPAdapter(max_retries=_Patience()))

    def pages(self, path: str) -> Iterator[Any]:
        """The entries of a listing, page after page (RFC 8288, ``Link: rel="next"``)."""
        url: str | None = f"{self._base}{path}"
        while url:
            answer = self._send("GET", url)
            yield from self._json(answer)
            url = answer.links.get("next", {}).get("url")

    def write(self, method: str, path: str, content: dict[str, str]) -> Any:
        """Send JSON, give the JSON of the answer.

        Raises:
            NoAnswer: it may or may not have been written.
            ForgeProblem: it was not.
        """
        return self._json(self._send(method, f"{self._base}{path}", json=content))

    def _send(self, method: str, url: str, **content: Any) -> requests.Response:
        host = urlsplit(self._base).netloc
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT, **content)
        except requests.RequestException as problem:
            raise NoAnswer(f"{host} cannot be reached: {_cause(problem)}") from problem
        if answer.ok:
            return answer
        said = f"{host} answered {answer.status_code} to {method} {urlsplit(url).path}: {_said(answer)}"
        if answer.status_code >= _SERVER_ERROR:
            raise NoAnswer(f"{said}; run this again later")
        if answer.status_code == requests.codes.unauthorized:
            raise ForgeProblem(f"{said}; {self._variable} is no valid token, it may have expired")
        if answer.status_code in (_FORBIDDEN, requests.codes.not_found):
            raise ForgeProblem(f"{said}; {self._refused}")
        raise ForgeProblem(said)

    def _json(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError as problem:
            raise ForgeProblem(f"{self._base} answers no JSON; is this the address of its API?") from problem


class _Bearer(AuthBase):
    """Authorisation that `requests` takes away on a redirect to elsewhere, and that no ``.netrc`` replaces."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Patience(Retry):
    """Repeats what may be repeated.

    GitHub announces its secondary rate limit by 403 or 429, with ``Retry-After``. What was refused for its rate was
    not done, so a POST may be repeated then, and only then.
    """

    def __init__(self, **settings: Any) -> None:
        defaults = {
            "total": 4,
            "connect": 2,
            "backoff_factor": 0.5,
            "status_forcelist": (500, 502, 503, 504),
            "allowed_methods": ("GET", "PATCH", "PUT"),
            "raise_on_status": False,
        }
        super().__init__(**{**defaults, **settings})

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        limited = status_code == _TOO_MANY or (status_code == _FORBIDDEN and has_retry_after)
        return limited or super().is_retry(method, status_code, has_retry_after)

    def parse_retry_after(self, retry_after: str) -> float:
        return min(super().parse_retry_after(retry_after), _LONGEST_WAIT)


def _checked(token: str, name: str) -> str:
    stripped = token.strip()
    if not stripped:
        raise ForgeProblem(f"{name} is not set; give it a token that may write comments")
    # An HTTP library would show such a value in its complaint.
    if not all("!" <= character <= "~" for character in stripped):
        raise ForgeProblem(f"{name} contains characters that no token has; copy the token again")
    return stripped


def _cause(problem: requests.RequestException) -> str:
    reason: object = problem.args[0] if problem.args else problem
    reason = getattr(reason, "reason", reason)
    # urllib3 puts the connection before what is wrong with it.
    return re.sub(r"^.*?[)>]: ", "", str(reason)) or type(problem).__name__


def _said(answer: requests.Response) -> str:
    try:
        held = answer.json()
    except ValueError:
        held = None
    if isinstance(held, dict):
        said = held.get("message") or held.get("error") or held
    else:
        said = answer.text or answer.reason
    return " ".join(str(said).split())[:300]
