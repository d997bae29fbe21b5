"""Where services are that run already: the table ``[attach]``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.fleet.configuration import ConfigurationError, Table
from harness.fleet.placeholders import fill_in_environment
from harness.fleet.ports import LOOPBACK
from harness.wire.dsn import Dsn, InvalidDsn

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen.

    Args:
        host: an address or a name of this machine.
        port: a port; 0 for any free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AttachedService:
    """A service that runs already.

    Args:
        url: where it is reached, without a slash at the end.
        dsn: the DSN that it was started with; None for one without an SDK of its own.
        agent: the token that its agents were given; None when nothing was preloaded.
    """

    url: str
    dsn: Dsn | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """Services that run already, and where they expect the harness.

    Args:
        collector: where the collector listens: where the services' DSNs lead.
        control: where their agents connect to; None when there are none.
        services: each by its name.
    """

    collector: Endpoint
    control: Endpoint | None
    services: Mapping[str, AttachedService]


def load_attachment(path: Path, services: Collection[str]) -> Attachment:
    """Read a file that holds the table ``[attach]`` alone, such as ``sentry-harness up --attachable`` writes.

    Args:
        path: the file.
        services: the names of the fleet's services.

    Raises:
        ConfigurationError: the file is missing or is not as it should be.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise ConfigurationError(f"{path} cannot be read: {problem}.") from problem
    read = read_attachment(path, Table(str(path), document, ("attach",)).table("attach"), services)
    if read is None:
        raise ConfigurationError(f"{path} has no table [attach].")
    return read


def read_attachment(path: Path, values: object, services: Collection[str]) -> Attachment | None:
    """Read the table ``[attach]``.

    Args:
        path: the configuration.
        values: what the table holds.
        services: the names of the fleet's services.

    Returns:
        What it says; None when it is empty or absent.

    Raises:
        ConfigurationError: it is not as it should be.
    """
    if values == {}:
        return None
    table = Table(f"{path}, [attach]", values, ("collector", "control", "service"))
    tables = table.below("service", services)
    attached = {name: _service(tables.below(name, ("url", "dsn", "agent"))) for name in services}
    _require_own_projects(tables, attached)
    control = _endpoint(table, "control")
    if control is None and (astray := [name for name, service in attached.items() if service.agent]):
        raise table.complain("control", f"is missing: '{astray[0]}' has an agent; say where it connects to.")
    return Attachment(_endpoint(table, "collector") or Endpoint(LOOPBACK, 0), control, attached)


def attachment_text(attachment: Attachment) -> str:
    """The table ``[attach]`` as TOML.

    Args:
        attachment: what it says.
    """
    lines = ["[attach]", f'collector = "{attachment.collector}"']
    if attachment.control is not None:
        lines.append(f'control = "{attachment.control}"')
    for name, service in attachment.services.items():
        lines += ["", f"[attach.service.{name}]", f'url = "{service.url}"']
        lines += [f'dsn = "{service.dsn}"'] if service.dsn else []
        lines += [f'agent = "{service.agent}"'] if service.agent else []
    return "\n".join([*lines, ""])


def _service(table: Table) -> AttachedService:
    url, dsn, agent = (_filled(table, key) for key in ("url", "dsn", "agent"))
    if url is None:
        raise table.complain("url", "is missing: say where the service is reached.")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise table.complain("url", f'must be like "http://127.0.0.1:8003", not {url!r}.')
    # What is wrong with it is told without it: it opens the channel to the agents.
    if agent is not None and not _TOKEN.fullmatch(agent):
        raise table.complain("agent", "must have 16 to 128 letters, digits, '-' and '_'.")
    try:
        return AttachedService(url.rstrip("/"), None if dsn is None else Dsn.parse(dsn), agent)
    except InvalidDsn as problem:
        raise table.complain("dsn", f"is wrong: {problem}.") from problem


def _filled(table: Table, key: str) -> str | None:
    text = table.text(key)
    return None if text is None else fill_in_environment(table, key, text)


def _endpoint(table: Table, key: str) -> Endpoint | None:
    text = _filled(table, key)
    if text is None:
        return None
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.netloc != text:
        raise table.complain(key, f'must be an address to listen on like "127.0.0.1:9000", not {text!r}.')
    return Endpoint(host, port)


def _require_own_projects(tables: Table, services: Mapping[str, AttachedService]) -> None:
    owners: dict[str, str] = {}
    for name, service in services.items():
        for part in () if service.dsn is None else (service.dsn.project_id, service.dsn.public_key):
            other = owners.setdefault(part, name)
            if other != name:
                raise tables.complain(
                    f"{name}.dsn",
                    f"has a project or a key of '{other}' as well: by them the harness knows who sent something.",
                )


def require_attachment(attachment: Attachment | None, path: Path) -> Attachment:
    """What is attached to.

    Args:
        attachment: what the configuration says, if it says anything.
        path: the configuration.

    Raises:
        ConfigurationError: it says nothing.
    """
    if attachment is None:
        raise ConfigurationError(
            f"{path} has no table [attach], which --fleet=attach needs: give 'url' and 'dsn' under "
            "[attach.service.<name>] for each service, or name a file that has it with --attach FILE."
        )
    return attachment
