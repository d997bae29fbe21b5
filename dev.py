#!/usr/bin/env python3
"""Set up this checkout and run it: `python3 dev.py verify`, `test`, `containers`, `lint`.

Needs Python 3.11+ and Node 20.19+ and nothing else. Everything is installed inside the checkout, from the lock
files (`requirements.lock`, `package-lock.json`); what is already there and current is not installed again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BINARIES = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BINARIES / ("python.exe" if os.name == "nt" else "python")
FRONTEND = ROOT / "services" / "frontend"
NODE_PROJECTS = [ROOT / "services" / "payment", FRONTEND]
NODE_PEER = ROOT / "benchmarks" / "spotlight"
NODE_PROJECTS_OF_TESTS = [ROOT / "tests" / "fixtures" / "browser_site"]
LOCKED_GROUPS = ["game-engine", "analytics", "gateway", "test", "lint", "build", "benchmark"]

# What an image installs: the same versions as everywhere, but only what its service needs.
IMAGE_LOCKS = {
    "services/gateway/requirements.lock": ["--group=gateway"],
    "services/game_engine/requirements.lock": ["--group=game-engine"],
    "services/analytics/requirements.lock": ["--group=analytics"],
    "services/collector/requirements.lock": ["pyproject.toml"],
    "services/collector/build.lock": ["--group=build"],
}

DEBUG_ACCESS = ROOT / ".debug-access"

BROWSERS = ["chromium", "chromium-browser", "google-chrome"]

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = (20, 19)


def stop(message: str) -> None:
    """End with one message that says what to do."""
    sys.exit(f"dev.py: {message}")


def require_interpreters() -> None:
    """Refuse early, and in words, what would fail late and unreadably."""
    if sys.version_info < OLDEST_PYTHON:
        stop(f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed, this is {sys.version.split()[0]}.")
    if shutil.which("node") is None or shutil.which("npm") is None:
        stop("Node 20.19 or newer with npm is needed for payment and the front end; 'node' or 'npm' is not on PATH.")
    answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        stop(f"Node 20.19 or newer is needed, 'node --version' says {answer.strip() or 'nothing'}.")


def fingerprint(*parts: Path | str) -> str:
    """A digest of files and settings, to see whether an installation is still what they ask for."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return digest.hexdigest()


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a set-up step; its output is shown only when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        stop(f"'{' '.join(map(str, command))}' failed with exit code {done.returncode}; its output is above.")


def set_up_python() -> None:
    """Make `.venv` from `requirements.lock`, with this project installed editable."""
    stamp = ENVIRONMENT / "installed-from"
    wanted = fingerprint(ROOT / "requirements.lock", ROOT / "pyproject.toml", sys.version, str(ROOT))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Setting up Python packages in .venv ...", flush=True)
    if not PYTHON.exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=False)
        if made.returncode != 0:
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
            stop("no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv")
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock")
    run(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    stamp.write_text(wanted)


def set_up_node(project: Path) -> None:
    """Install a Node service's packages from its `package-lock.json`."""
    stamp = project / "node_modules" / ".installed-from"
    wanted = fingerprint(project / "package-lock.json", project / "package.json")
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Setting up Node packages in {project.relative_to(ROOT)} ...", flush=True)
    run("npm", "ci", "--no-audit", "--no-fund", cwd=project)
    stamp.write_text(wanted)


def set_up_debug_access() -> None:
    """Make the key pair that the debug endpoints are opened with, once; it opens this checkout's services only."""
    if not (DEBUG_ACCESS / "key.pem").exists():
        run(BINARIES / "sentry-harness", "keys", DEBUG_ACCESS)


def build_frontend() -> None:
    """Build the page that the front end serves, from its sources and its packages."""
    stamp = FRONTEND / "dist" / ".built-from"
    sources = sorted(
        path for folder in ("src", "public") for path in (FRONTEND / folder).rglob("*") if path.is_file()
    )
    names = [str(path.relative_to(FRONTEND)) for path in sources]
    settings = [FRONTEND / name for name in ("index.html", "vite.config.ts", "package-lock.json")]
    wanted = fingerprint(*settings, *names, *sources)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Building services/frontend ...", flush=True)
    run("npm", "run", "build", cwd=FRONTEND)
    stamp.write_text(wanted)


def set_up_program(package: str, programs: list[str], without: str) -> None:
    """Install a program from a Debian package, unless it is there; where that cannot be, say what is not tried."""
    if any(shutil.which(name) for name in programs):
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"No {programs[0]} found, so there is no trying of {without}.", flush=True)
        return
    print(f"Setting up {package} ...", flush=True)
    run("apt-get", "update")
    run("apt-get", "install", "--yes", "--no-install-recommends", package)


def set_up() -> None:
    """Install everything that is missing or out of date."""
    require_interpreters()
    set_up_python()
    for project in NODE_PROJECTS:
        set_up_node(project)
    set_up_debug_access()
    build_frontend()


def lock() -> None:
    """Resolve the newest allowed versions into the lock files (needs the network)."""
    run(PYTHON, "-m", "pip", "install", "--quiet", "uv")
    compiling: list[str | Path] = [BINARIES / "uv", "pip", "compile", "--universal", "--generate-hashes"]
    compiling += ["--no-header", "--quiet", "--python-version", "3.11", "--upgrade"]
    groups = [f"--group={group}" for group in LOCKED_GROUPS]
    extras = ["--extra=browser", "--extra=faults", "--extra=token"]
    run(*compiling, "pyproject.toml", *groups, *extras, "--output-file", "requirements.lock")
    for result, sources in IMAGE_LOCKS.items():
        run(*compiling, *sources, "--constraint", "requirements.lock", "--output-file", result)
    for project in [*NODE_PROJECTS, *NODE_PROJECTS_OF_TESTS, NODE_PEER]:
        run("npm", "update", "--package-lock-only", cwd=project)


def call(*command: str | Path) -> int:
    """Run one of the project's tools in the foreground and give its exit code."""
    environment = {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        return subprocess.run([str(word) for word in command], cwd=ROOT, env=environment, check=False).returncode
    except KeyboardInterrupt:
        # The child got the same Ctrl-C and has cleaned up and spoken for itself.
        return 130


def schema(name: str) -> list[str | Path]:
    """The command that holds files against a JSON Schema that the checker brings along."""
    return [BINARIES / "check-jsonschema", "--quiet", "--builtin-schema", f"vendor.{name}"]


def in_node_projects(script: str) -> list[list[str | Path]]:
    """The commands that run a script of each `package.json`."""
    return [["npm", "run", "--silent", "--prefix", project, script] for project in NODE_PROJECTS]


def lint() -> int:
    """Ruff, mypy strict, the layers of the house, TypeScript, and what CI systems will read."""
    steps: list[list[str | Path]] = [
        [BINARIES / "ruff", "format", "--check", "."],
        [BINARIES / "ruff", "check", "."],
        [BINARIES / "mypy"],
        [BINARIES / "lint-imports"],
        *in_node_projects("check"),
        [*schema("github-actions"), "action.yml"],
        [*schema("github-workflows"), *sorted((ROOT / ".github" / "workflows").glob("*.yml"))],
        [*schema("gitlab-ci"), "docs/gitlab-ci.yml"],
        [BINARIES / "zizmor", "--offline", "--quiet", "."],
        [PYTHON, "-m", "services.containers", "check"],
    ]
    return max(call(*step) for step in steps)


def main() -> int:
    """Parse the command, set up, run."""
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=["setup", "verify", "containers", "test", "lint", "bench", "lock"])
    command, more = parser.parse_known_args()
    set_up()
    if command.command in ("verify", "test"):
        set_up_program("redis-server", ["redis-server"], "rate limits that instances share")
        set_up_program("chromium", BROWSERS, "pages in a browser")
    match command.command:
        case "verify":
            return call(PYTHON, "-m", "pytest", "scenarios", *more)
        case "containers":
            return call(PYTHON, "-m", "services.containers", "verify")
        case "test":
            for project in NODE_PROJECTS_OF_TESTS:
                set_up_node(project)
            tests: list[str | Path] = [PYTHON, "-m", "pytest", "tests", "--numprocesses=auto", *more]
            # What is asked for by name is pytest's alone.
            return max(call(*step) for step in [tests, *([] if more else in_node_projects("test"))])
        case "lint":
            return lint()
        case "bench":
            set_up_node(NODE_PEER)
            return call(PYTHON, "-m", "benchmarks", *more)
        case "lock":
            lock()
    return 0


if __name__ == "__main__":
    sys.exit(main())
