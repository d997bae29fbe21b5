"""`gh run list` and `gh run download` over a directory of runs, with the options that `gh` has."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import jq

RUNS = Path(os.environ["RUNS"])


def main() -> None:
    if not os.environ.get("GH_TOKEN"):
        sys.exit("gh: To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable.")
    parser = argparse.ArgumentParser(prog="gh")
    commands = parser.add_subparsers(required=True).add_parser("run").add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list")
    for option in ("repo", "workflow", "branch", "status", "json", "jq"):
        listing.add_argument(f"--{option}", required=True)
    listing.add_argument("--limit", type=int, required=True)
    download = commands.add_parser("download")
    download.add_argument("run")
    for option in ("repo", "name", "dir"):
        download.add_argument(f"--{option}", required=True)
    options = parser.parse_args()
    if options.command == "list":
        runs = [json.loads(path.read_text()) for path in sorted(RUNS.glob("*/run.json"), reverse=True)]
        wanted = {name: getattr(options, name) for name in ("repo", "workflow", "branch", "status")}
        found = [run for run in runs if wanted.items() <= run.items()][: options.limit]
        shown = [{name: run[name] for name in options.json.split(",")} for run in found]
        for line in jq.compile(options.jq).input_value(shown).all():
            sys.stdout.write(f"{line}\n")
        return
    artifact = RUNS / options.run / "artifacts" / options.name
    if not artifact.is_dir():
        sys.exit("no valid artifacts found to download")
    shutil.copytree(artifact, options.dir)


if __name__ == "__main__":
    main()
