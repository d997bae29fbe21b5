"""Pull requests on GitHub (REST API, version 2022-11-28, "Issue comments")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.forge.api import Api, ForgeProblem
from harness.forge.comment import Comment

_REFUSED = (
    "the token may not write to pull requests of this repository: give the job `permissions: pull-requests: write`. "
    "For pull requests from forks GitHub gives every job a token that only reads; docs/ci.md shows how to comment "
    "on those from a workflow of its own"
)


class GitHubPullRequest:
    """One pull request on GitHub.

    Args:
        api: GitHub's API.
        repository: owner and name.
        number: of the pull request.
        run_url: page of the run that writes the comment.
    """

    longest = 65_536

    def __init__(self, api: Api, *, repository: str, number: int, run_url: str | None) -> None:
        self._api = api
        self._comments = f"/repos/{repository}/issues"
        self._number = number
        self.run_url = run_url

    def comments(self) -> Iterator[Comment]:
        """All comments of the pull request, oldest first."""
        return map(_comment, self._api.pages(f"{self._comments}/{self._number}/comments?per_page=100"))

    def create(self, body: str) -> Comment:
        """Write another comment."""
        return _comment(self._api.write("POST", f"{self._comments}/{self._number}/comments", {"body": body}))

    def update(self, comment: Comment, body: str) -> Comment:
        """Replace the text of a comment."""
        return _comment(self._api.write("PATCH", f"{self._comments}/comments/{comment.id}", {"body": body}))


def github_pull_request(environment: Mapping[str, str], number: int | None) -> GitHubPullRequest | None:
    """The pull request that a job of GitHub Actions runs for.

    Args:
        environment: the job's variables (GitHub Docs, "Variables reference").
        number: the pull request, when the event does not tell.

    Returns:
        None when the job runs for no pull request.

    Raises:
        ForgeProblem: the event cannot be read, or there is no token.
    """
    number = number or _number_of_event(environment.get("GITHUB_EVENT_PATH"))
    if number is None:
        return None
    repository = environment["GITHUB_REPOSITORY"]
    run, server = environment.get("GITHUB_RUN_ID"), environment.get("GITHUB_SERVER_URL", "https://github.com")
    api = Api(
        environment.get("GITHUB_API_URL", "https://api.github.com"),
        token=environment.get("GITHUB_TOKEN", ""),
        variable="GITHUB_TOKEN",
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        refused=_REFUSED,
    )
    run_url = f"{server}/{repository}/actions/runs/{run}" if run else None
    return GitHubPullRequest(api, repository=repository, number=number, run_url=run_url)


def _number_of_event(path: str | None) -> int | None:
    if not path:
        return None
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ForgeProblem(
            f"GITHUB_EVENT_PATH ({path}) cannot be read: {problem}; name it with --pull-request"
        ) from problem
    issue = event.get("issue", {})
    number: int | None = event.get("pull_request", issue if "pull_request" in issue else {}).get("number")
    return number


def _comment(held: Mapping[str, Any]) -> Comment:
    return Comment(held["id"], held.get("body") or "", held["html_url"])
