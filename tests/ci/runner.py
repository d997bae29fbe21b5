"""Runs the steps of a composite action as a runner of GitHub Actions does, as far as `action.yml` needs it.

What it does not know it refuses: an expression with an undeclared input, an unknown context or function, an action
without a counterpart here, or an expression in the text of a script, through which its value would run as code.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(r"\s*('(?:[^']|'')*'|==|!=|&&|\|\||[()!]|[A-Za-z][\w.-]*(?:\(\))?)")
OPERATORS = {"&&": " and ", "||": " or ", "!": " not "}
STATUS = re.compile(r"\b(always|success|failure)\(\)")


@dataclass
class Outcome:
    """What became of a job."""

    log: str = ""
    summary: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return "failure" not in self.steps.values()


@dataclass
class Runner:
    """One job.

    Args:
        action: the directory of the action.
        workspace: the checkout of the project.
        temp: the runner's own directory.
        artifacts: where uploaded artifacts go, each in a directory of its name.
        github: the context `github`.
        environment: variables of the job.
    """

    action: Path
    workspace: Path
    temp: Path
    artifacts: Path
    github: Mapping[str, str]
    environment: dict[str, str]

    def run(self, **inputs: str) -> Outcome:
        """Run the action with inputs, in which `_` stands for `-`."""
        definition = yaml.safe_load((self.action / "action.yml").read_text())
        self._contexts: dict[str, str] = {f"github.{name}": value for name, value in self.github.items()}
        for name, declared in definition["inputs"].items():
            given = inputs.pop(name.replace("-", "_"), None)
            self._contexts[f"inputs.{name}"] = self._filled(declared["default"]) if given is None else given
        assert not inputs, f"undeclared inputs: {inputs}"
        self.temp.mkdir(exist_ok=True)
        outcome = Outcome()
        for number, step in enumerate(definition["runs"]["steps"]):
            self._step(number, step, outcome)
        return outcome

    def _step(self, number: int, step: dict[str, Any], outcome: Outcome) -> None:
        name = step.get("name") or step["uses"]
        condition = str(step.get("if", "success()"))
        condition = condition if STATUS.search(condition) else f"success() && ({condition})"
        if not self._value(condition, succeeded=outcome.succeeded):
            outcome.steps[name] = "skipped"
        elif "uses" in step:
            given = {key: self._filled(str(value)) for key, value in step["with"].items()}
            outcome.used[name] = given
            outcome.steps[name] = self._use(step["uses"], given)
        else:
            outcome.steps[name] = self._script(number, step, outcome)
        if "id" in step:
            self._contexts[f"steps.{step['id']}.outcome"] = outcome.steps[name]

    def _use(self, action: str, given: Mapping[str, str]) -> str:
        match action.partition("@")[0]:
            case "actions/setup-python" | "actions/setup-node":
                return "success"
            case "actions/upload-artifact":
                source, target = self.workspace / given["path"], self.artifacts / given["name"]
                assert not target.exists(), f"the runner refuses a second artifact {given['name']}"
                shutil.copytree(source, target)
                return "success"
        raise AssertionError(f"no counterpart for {action}")

    def _script(self, number: int, step: dict[str, Any], outcome: Outcome) -> str:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], f"an expression in the script of {step['name']}"
        script = self.temp / f"{number}.sh"
        script.write_text(step["run"])
        files = {name: self.temp / f"{number}-{name}" for name in ("OUTPUT", "PATH", "ENV", "STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace / self._filled(step.get("working-directory", ".")),
            env={
                **self.environment,
                **{name: self._filled(value) for name, value in step.get("env", {}).items()},
                **{f"GITHUB_{name}": str(file) for name, file in files.items()},
                "GITHUB_ACTION_PATH": str(self.action),
                "RUNNER_TEMP": str(self.temp),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        outcome.log += f"### {step['name']}\n{done.stdout}"
        outcome.summary += files["STEP_SUMMARY"].read_text()
        assert not files["ENV"].read_text(), "this runner does not know GITHUB_ENV"
        for line in files["OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            self._contexts[f"steps.{step['id']}.outputs.{name}"] = value
        for line in files["PATH"].read_text().splitlines():
            self.environment["PATH"] = f"{line}:{self.environment['PATH']}"
        return "failure" if done.returncode else "success"

    def _filled(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: str(self._value(found[1], succeeded=True)), text)

    def _value(self, expression: str, *, succeeded: bool) -> Any:
        """An expression's value. As in Python, `&&` and `||` give one of their operands."""
        python, at = "", 0
        while at < len(expression.rstrip()):
            token = TOKEN.match(expression, at)
            assert token is not None, f"cannot read {expression[at:]!r}"
            at = token.end()
            python += self._python(token[1], succeeded=succeeded)
        return eval(python, {"__builtins__": {}})  # of the repository's own action.yml

    def _python(self, token: str, *, succeeded: bool) -> str:
        functions = {"always()": True, "success()": succeeded, "failure()": not succeeded}
        if token in functions:
            return str(functions[token])
        if token.startswith("'"):
            return repr(token[1:-1].replace("''", "'"))
        if not token[0].isalpha():
            return OPERATORS.get(token, token)
        if re.fullmatch(r"steps\.[\w-]+\.outputs\.[\w-]+", token):
            return repr(self._contexts.get(token, ""))
        return repr(self._contexts[token])
