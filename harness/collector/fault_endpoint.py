"""Faults over HTTP, for a collector that runs by itself: a path that Sentry does not have.

`GET` lists the faults that are in force, `POST` adds one, `DELETE` takes one away, or all of them. Only this machine
may ask, and no page in a browser: what changes something needs a media type or a method for which browsers first ask
a permission that they do not get.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from harness.collector.fault_descriptions import read_fault
from harness.collector.faults import InvalidFault
from harness.collector.injecting import FaultInForce, Faults
from harness.collector.messages import Answer, Refused, Request
from harness.wire.json_text import InvalidJson, parse_json

PATH = "/harness/faults"
_JSON = "application/json"
_METHODS = "GET, POST, DELETE"


def concerns_faults(request: Request) -> bool:
    """Whether a request is one to the faults."""
    return request.path == PATH or request.path.startswith(PATH + "/")


def answer_about_faults(request: Request, faults: Faults) -> Answer:
    """Answer a request to the faults.

    Args:
        request: The request, one that concerns them.
        faults: The faults.

    Returns:
        The answer.

    Raises:
        Refused: It comes from another machine, or asks for what there is not.
    """
    if not (_is_loopback(request.client) and _is_loopback(_host(request))):
        raise Refused(403, "forbidden", "faults are injected from this machine only, by its address or as localhost")
    number = request.path.removeprefix(PATH).strip("/")
    match request.method:
        case "GET" if not number:
            return _json(200, [_shown(held) for held in faults.in_force])
        case "POST" if not number:
            return _json(201, _shown(_add(request, faults)))
        case "DELETE":
            return _remove(number, faults)
    raise Refused(405, "method not allowed", f"allowed: {_METHODS}", headers=(("allow", _METHODS),))


def _add(request: Request, faults: Faults) -> FaultInForce:
    if request.media_type != _JSON:
        raise Refused(415, "unsupported media type", f"{request.media_type or 'no content type'}; send {_JSON}")
    try:
        fault = read_fault(parse_json(request.body.decode()))
    except (UnicodeDecodeError, InvalidJson, InvalidFault) as problem:
        raise Refused(400, "invalid fault", str(problem)) from None
    return FaultInForce(faults.add(fault), fault, fault.requests, fault.seconds)


def _remove(number: str, faults: Faults) -> Answer:
    if not number:
        faults.clear()
    elif not number.isdecimal() or not faults.remove(int(number)):
        raise Refused(404, "no such fault", f"no fault {number} is in force; {PATH} lists those that are")
    return Answer(204)


def _shown(held: FaultInForce) -> dict[str, Any]:
    fault = {name: value for name, value in asdict(held.fault).items() if value not in (None, (), 0.0)}
    return {
        "number": held.number,
        "text": str(held.fault),
        "fault": fault,
        "requests_left": held.requests,
        "seconds_left": held.seconds,
    }


def _json(status: int, content: object) -> Answer:
    return Answer(status, json.dumps(content).encode(), _JSON)


def _host(request: Request) -> str:
    # A page may have a name of its own point here, and then is allowed all that it is allowed at home.
    try:
        return urlsplit(f"//{request.header('host') or ''}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
