"""The command line: ``sentry-harness``, its commands and their options."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from harness.collector.inbox import DEFAULT_MEMORY, Inbox
from harness.collector.limits import parse_size
from harness.collector.server import Collector
from harness.fleet.attachable import attachable_fleet
from harness.fleet.attachment import attachment_text
from harness.fleet.fleet import Fleet
from harness.fleet.spec import FleetSpec, load_fleet_spec, require_commands
from harness.forge.comment import publish
from harness.forge.surroundings import pull_request_of
from harness.report.annotations import github_annotations
from harness.report.comparing import judge_against
from harness.report.judging import judge_again
from harness.report.merging import merge
from harness.report.reading import read_report
from harness.report.report import Report
from harness.report.terminal import record_lines
from harness.report.writing import append_step_summary, write_report
from harness.run.authenticating import Authenticator
from harness.run.configuration import load_baseline_settings, load_check_settings, load_collector_memory
from harness.run.live_view import print_arrivals, print_fleet, print_steering
from harness.run.tokens import write_key_pair
from harness.verify.baseline.settings import read_baseline_settings
from harness.verify.checks.registry import check_options
from harness.verify.settings import read_check_settings

_BAD_RUN, _NO_RESULT = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit code.

    0 after a clean end and for a good run; 1 for a bad one; 2 when there is no result, because of what was given.
    """
    options = _parser().parse_args(arguments)
    # A pipe has no width; what goes there is to be copied or searched, not wrapped.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 240)
    # A clean end is the same for Ctrl-C and for whoever sends SIGTERM.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = options.run(options, console)
    except KeyboardInterrupt:
        console.print("Stopped.")
        # For what runs until it is told to end this is a clean end; a verdict that did not come is no good one.
        return 0 if options.run in (_collect, _up) else _NO_RESULT
    except (RuntimeError, ValueError, OSError) as problem:
        print(f"sentry-harness {options.command}: {problem}", file=sys.stderr)
        return _NO_RESULT
    return code


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
    collect.add_argument(
        "--key", help="public key that a DSN must have; required for a HOST that is reached from the network"
    )
    collect.add_argument(
        "--memory",
        type=_size,
        default=DEFAULT_MEMORY,
        metavar="SIZE",
        help="how much of what arrives is kept in memory and not on disk (default: 256 MiB)",
    )
    collect.set_defaults(run=_collect)

    up = commands.add_parser(
        "up", help="run the fleet with its collector", description="Run the fleet with its collector, to try by hand."
    )
    up.add_argument("--config", type=Path, default=Path("harness.toml"), help="configuration (default: %(default)s)")
    up.add_argument(
        "--attachable",
        type=Path,
        metavar="FILE",
        help="run it without a collector, for one run of pytest --fleet=attach --attach FILE after the other",
    )
    up.set_defaults(run=_up)

    verify = commands.add_parser(
        "verify",
        help="judge a report again, without any service",
        description="Repeat all checks and baselines over what a report holds. Exit code 1 when something is wrong.",
    )
    verify.add_argument("of", type=Path, metavar="REPORT", help="the report's directory")
    verify.add_argument("--config", type=Path, help="settings from this harness.toml, not the run's own")
    verify.add_argument("--root", type=Path, default=Path(), help="the checkout with the baselines (default: here)")
    verify.add_argument("--no-baselines", action="store_true", help="repeat the checks only")
    verify.set_defaults(run=_verify)

    diff = commands.add_parser(
        "diff",
        help="hold a run against another one",
        description="Say what a run has lost, changed and gained since another one. Exit code 1 on a regression.",
    )
    diff.add_argument("reference", type=Path, metavar="REFERENCE", help="report of the run to hold it against")
    diff.add_argument("of", type=Path, metavar="REPORT", help="report of the run in question")
    diff.add_argument(
        "--accept-baselines",
        action="store_true",
        help="what agrees with the baselines that the run was held against is no regression, nor is a test that is "
        "gone with its baseline, or skipped",
    )
    diff.add_argument(
        "--root", type=Path, default=Path(), help="the run's checkout with its baselines (default: here)"
    )
    diff.set_defaults(run=_diff)

    merging = commands.add_parser(
        "merge",
        help="make one report of several",
        description="Make one report of those of a run's shards. Exit code 1 when the whole run was not good.",
    )
    merging.add_argument("of", type=Path, nargs="+", metavar="REPORT", help="the shards' reports, in any order")
    merging.add_argument("--complete", action="store_true", help="fail for endpoints that no shard triggers")
    merging.set_defaults(run=_merge)

    token = commands.add_parser(
        "token",
        help="print a token for trying things by hand",
        description="Print a token as [fleet.token] of the configuration describes it.",
    )
    token.add_argument(
        "--config", type=Path, default=Path("harness.toml"), help="configuration (default: %(default)s)"
    )
    token.add_argument("--scope", action="append", help="a scope it shall have, not the configured ones; repeatable")
    token.set_defaults(run=_token)

    keys = commands.add_parser(
        "keys",
        help="make a key pair for tokens",
        description="Make an Ed25519 key pair: key.pem for [fleet.token], jwks.json for the services.",
    )
    keys.add_argument("directory", type=Path, metavar="DIRECTORY", help="where to; should be ignored by git")
    keys.set_defaults(run=_keys)

    for command in (verify, diff, merging):
        command.add_argument(
            "--report",
            type=Path,
            required=command is merging,
            metavar="DIRECTORY",
            help="write the result as a report of its own",
        )
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
    comment.set_defaults(run=_comment)
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


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _collect(options: argparse.Namespace, console: Console) -> int:
    inbox = Inbox(options.memory)
    with Collector(
        host=options.host, port=options.port, open=True, inbox=inbox, key=options.key, steerable=True
    ) as collector:
        dsn = collector.register("collect")
        dsn = dsn if options.key is None else replace(dsn, public_key=options.key)
        console.print(f"Collecting. DSN: {dsn}", soft_wrap=True)
        others = "Any other project and key" if options.key is None else "Any other project with the given key"
        console.print(f"{others} is accepted too. Ctrl-C ends it.")
        print_steering(collector, console, options.key)
        print_arrivals(collector, console)
    return 0


def _up(options: argparse.Namespace, console: Console) -> int:
    spec = load_fleet_spec(options.config)
    require_commands(spec)
    if options.attachable is not None:
        return _up_attachable(spec, options.attachable, console)
    with ExitStack() as running:
        inbox = Inbox(load_collector_memory(options.config))
        collector = running.enter_context(Collector(inbox=inbox, steerable=True))
        directory = Path(tempfile.mkdtemp(prefix="sentry-harness-"))
        console.print(f"Starting {', '.join(spec.services)}; logs are in {directory}", soft_wrap=True)
        fleet = Fleet(spec, dsn_for=lambda name: str(collector.register(name)), directory=directory)
        running.enter_context(fleet)
        print_fleet(spec, fleet, console)
        print_steering(collector, console)
        print_arrivals(collector, console)
    return 0


def _up_attachable(spec: FleetSpec, file: Path, console: Console) -> int:
    directory = Path(tempfile.mkdtemp(prefix="sentry-harness-"))
    console.print(f"Starting {', '.join(spec.services)}; logs are in {directory}", soft_wrap=True)
    with attachable_fleet(spec, directory) as (fleet, attachment):
        # It opens the channel to the agents.
        file.touch(mode=0o600)
        file.write_text(attachment_text(attachment), encoding="utf-8")
        try:
            print_fleet(spec, fleet, console)
            console.print(f"Verify it, as often as you like: pytest --fleet=attach --attach {file}", soft_wrap=True)
            # Until Ctrl-C or SIGTERM.
            threading.Event().wait()
        finally:
            file.unlink(missing_ok=True)
    return 0


def _token(options: argparse.Namespace, console: Console) -> int:
    claims = {} if options.scope is None else {"scope": " ".join(options.scope)}
    authenticator = Authenticator(load_fleet_spec(options.config).access)
    console.print(authenticator.token(claims), soft_wrap=True)
    return 0


def _keys(options: argparse.Namespace, console: Console) -> int:
    private, public = write_key_pair(options.directory)
    console.print(f"{private} is the private key: never commit it. Services get {public}.", soft_wrap=True)
    return 0


def _verify(options: argparse.Namespace, console: Console) -> int:
    report = read_report(options.of)
    recorded = report.record.settings
    checks = (
        load_check_settings(options.config)
        if options.config
        else read_check_settings(recorded["checks"], check_options())
    )
    baseline = (
        load_baseline_settings(options.config) if options.config else read_baseline_settings(recorded["baseline"])
    )
    if options.no_baselines:
        baseline = replace(baseline, enabled=False)
    record = judge_again(report, checks, baseline, options.root)
    return _result(replace(report, record=record), options, console)


def _diff(options: argparse.Namespace, console: Console) -> int:
    report = read_report(options.of)
    accepting_in = options.root if options.accept_baselines else None
    record = judge_against(read_report(options.reference), report, accepting_in=accepting_in)
    append_step_summary(record)
    # A run that failed has annotated its failures itself.
    if report.record.passed:
        for line in github_annotations(record, Path(record.executions[0].root), os.environ):
            print(line)
    return _result(replace(report, record=record), options, console)


def _merge(options: argparse.Namespace, console: Console) -> int:
    return _result(merge([read_report(each) for each in options.of], complete=options.complete), options, console)


def _result(report: Report, options: argparse.Namespace, console: Console) -> int:
    given = [options.of] if isinstance(options.of, Path) else options.of
    if options.report is not None and options.report.resolve() in {path.resolve() for path in given}:
        raise ValueError(f"{options.report} is what the result is made of; name another place with --report")
    for line in record_lines(report.record):
        console.print(line, soft_wrap=True)
    if options.report is not None:
        write_report(report, options.report)
        console.print(f"report      {options.report.absolute() / 'index.html'}", soft_wrap=True)
    return 0 if report.record.passed else _BAD_RUN


def _comment(options: argparse.Namespace, console: Console) -> int:
    try:
        summary = options.summary.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"{options.summary} cannot be read: {problem}; name the summary.md of a report") from problem
    pull_request = pull_request_of(os.environ, options.pull_request)
    if pull_request is None:
        console.print("This job runs for no pull request, so there is nothing to comment on.")
    else:
        console.print(publish(pull_request, summary, marker=options.marker).url, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
