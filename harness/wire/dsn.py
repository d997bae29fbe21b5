"""The DSN: where an SDK sends to, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_ORGANIZATION_HOST = re.compile(r"o([0-9]+)\.")


class InvalidDsn(ValueError):
    """A text is not a DSN.

    Attributes:
        text: The text.
        reason: What is wrong with it.
    """

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, reason)
        self.text = text
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.text!r} is not a DSN (scheme://key@host/project): {self.reason}"


@dataclass(frozen=True, slots=True)
class Dsn:
    """A DSN taken apart, see https://develop.sentry.dev/sdk/foundations/transport/authentication/.

    Attributes:
        scheme: `http` or `https`.
        public_key: The key that identifies the sender's project.
        secret_key: A second key that only very old SDKs still use.
        host: Host name, or address without brackets.
        port: The port if the DSN names one, None for the scheme's own.
        path: What stands before the project in the path; begins and ends with `/`.
        project_id: The project's number.
    """

    scheme: str
    public_key: str
    secret_key: str | None
    host: str
    port: int | None
    path: str
    project_id: str

    def __post_init__(self) -> None:
        """Bring `path` into its one form."""
        inner = self.path.strip("/")
        object.__setattr__(self, "path", f"/{inner}/" if inner else "/")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a DSN apart, under the rules that Relay has for the DSN of an envelope.

        Args:
            text: The DSN; a query, as old SDKs had it, is ignored.

        Returns:
            Its parts.

        Raises:
            InvalidDsn: Scheme, host, key or a project that is a number is missing.
        """
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise InvalidDsn(text, str(error)) from None
        if parts.scheme not in ("http", "https"):
            raise InvalidDsn(text, "the scheme must be http or https")
        if not parts.username:
            raise InvalidDsn(text, "the public key is missing")
        if not parts.hostname:
            raise InvalidDsn(text, "the host is missing")
        path, _, project_id = parts.path.rstrip("/").rpartition("/")
        if not (project_id.isascii() and project_id.isdigit()):
            raise InvalidDsn(text, "the path must end in the number of a project")
        return cls(parts.scheme, parts.username, parts.password or None, parts.hostname, port, path, project_id)

    def __str__(self) -> str:
        secret = f":{self.secret_key}" if self.secret_key else ""
        return f"{self.scheme}://{self.public_key}{secret}@{self.netloc}{self.path}{self.project_id}"

    @property
    def netloc(self) -> str:
        """Host, with the port if the DSN names one; what an SDK connects to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def envelope_url(self) -> str:
        """URL to which envelopes are posted."""
        return f"{self.scheme}://{self.netloc}{self.path}api/{self.project_id}/envelope/"

    @property
    def org_id(self) -> str | None:
        """Number of the organization that a host like `o42.ingest.sentry.io` names.

        SDKs continue a trace only within one organization, so the rule is theirs: any host that begins like this.
        """
        found = _ORGANIZATION_HOST.match(self.host)
        return found[1] if found else None
