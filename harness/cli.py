"""The command line: `sentry-harness collect`, `sentry-harness up` and `sentry-harness comment`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec
from harness.forge.comment import publish
from harness.forge.surroundings import pull_request_of
from harness.run.live_view import print_arrivals, print_fleet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit code: 0 after a clean end, 1 when something is wrong."""
    options = _parser().parse_args(arguments)
    # A pipe has no width; what goes there is to be copied or searched, not wrapped.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
    # A clean end is the same for Ctrl-C and for whoever sends SIGTERM.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        commands = {"collect": _collect, "up": _up, "comment": _comment}
        commands[options.command](options, console)
    except KeyboardInterrupt:
        console.print("Stopped.")
    except (RuntimeError, ValueError, OSError) as problem:
        print(f"sentry-harness {options.command}: {problem}", file=sys.stderr)
        return 1
    return 0


def _interrupt(*_: object) -> NoReturn:
    # Not by raising SIGINT: a shell that starts something in the background lets it ignore that signal.
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sentry-harness", description="Would Sentry really tell us?")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    collect = commands.add_parser(
        "collect", help="run a fake Sentry that shows what it receives", description="Run a fake Sentry by itself."
    )
    collect.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    collect.add_argument("--port", type=_port, default=0, help="port to listen on (default: a free one)")
    up = commands.add_parser(
        "up", help="run the fleet with its collector", description="Run the fleet with its collector, to try by hand."
    )
    up.add_argument("--config", type=Path, default=Path("harness.toml"), help="configuration (default: %(default)s)")
    comment = commands.add_parser(
        "comment",
        help="show a summary on the pull request",
        description="Write a summary as a comment on the pull request that this job of GitHub Actions or GitLab CI "
        "runs for, or bring the comment that is there up to date.",
    )
    comment.add_argument("summary", type=Path, metavar="SUMMARY.md", help="summary.md of a report")
    comment.add_argument(
        "--marker", default="verification", metavar="NAME", help="keeps several comments apart (default: %(default)s)"
    )
    comment.add_argument("--pull-request", type=_number, metavar="N", help="when the job's event does not tell it")
    return parser


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a pull request")
    return int(text)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _collect(options: argparse.Namespace, console: Console) -> None:
    with Collector(host=options.host, port=options.port, open=True) as collector:
        console.print(f"Collecting. DSN: {collector.register('collect')}", soft_wrap=True)
        console.print("Any other project and key is accepted too. Ctrl-C ends it.")
        print_arrivals(collector, console)


def _up(options: argparse.Namespace, console: Console) -> None:
    spec = load_fleet_spec(options.config)
    with ExitStack() as running:
        collector = running.enter_context(Collector())
        directory = Path(tempfile.mkdtemp(prefix="sentry-harness-"))
        console.print(f"Starting {', '.join(spec.services)}; logs are in {directory}", soft_wrap=True)
        fleet = Fleet(spec, dsn_for=lambda name: str(collector.register(name)), directory=directory)
        running.enter_context(fleet)
        print_fleet(spec, fleet, console)
        print_arrivals(collector, console)


def _comment(options: argparse.Namespace, console: Console) -> None:
    try:
        summary = options.summary.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"{options.summary} cannot be read: {problem}; name the summary.md of a report") from problem
    pull_request = pull_request_of(os.environ, options.pull_request)
    if pull_request is None:
        console.print("This job runs for no pull request, so there is nothing to comment on.")
        return
    console.print(publish(pull_request, summary, marker=options.marker).url, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
