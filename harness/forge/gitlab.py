"""Merge requests on GitLab (REST API v4, "Notes")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.forge.api import Api
from harness.forge.comment import Comment

_REFUSED = (
    "GITLAB_TOKEN may not write notes: it must be an access token of the project with scope `api` and role Reporter "
    "or higher (CI_JOB_TOKEN cannot write notes)"
)


class GitLabMergeRequest:
    """One merge request on GitLab.

    Args:
        api: GitLab's API.
        project: id of the project.
        number: the merge request's number in its project.
        url: the merge request's page.
        run_url: page of the job that writes the note.
    """

    longest = 1_000_000

    def __init__(self, api: Api, *, project: str, number: int, url: str, run_url: str | None) -> None:
        self._api = api
        self._notes = f"/projects/{project}/merge_requests/{number}/notes"
        self._url = url
        self.run_url = run_url

    def comments(self) -> Iterator[Comment]:
        """All notes of the merge request, oldest first."""
        return map(self._comment, self._api.pages(f"{self._notes}?per_page=100&sort=asc&order_by=created_at"))

    def create(self, body: str) -> Comment:
        """Write another note."""
        return self._comment(self._api.write("POST", self._notes, {"body": body}))

    def update(self, comment: Comment, body: str) -> Comment:
        """Replace the text of a note."""
        return self._comment(self._api.write("PUT", f"{self._notes}/{comment.id}", {"body": body}))

    def _comment(self, held: Mapping[str, Any]) -> Comment:
        return Comment(held["id"], held.get("body") or "", f"{self._url}#note_{held['id']}")


def gitlab_merge_request(environment: Mapping[str, str], number: int | None) -> GitLabMergeRequest | None:
    """The merge request that a job of GitLab CI runs for.

    Args:
        environment: the job's variables (GitLab Docs, "Predefined CI/CD variables").
        number: the merge request, when the pipeline does not tell.

    Returns:
        None when the job runs for no merge request.

    Raises:
        ForgeProblem: there is no token.
    """
    number = number or int(environment.get("CI_MERGE_REQUEST_IID") or 0)
    if not number:
        return None
    api = Api(
        environment["CI_API_V4_URL"],
        token=environment.get("GITLAB_TOKEN", ""),
        variable="GITLAB_TOKEN",
        headers={},
        refused=_REFUSED,
    )
    return GitLabMergeRequest(
        api,
        project=environment["CI_PROJECT_ID"],
        number=number,
        url=f"{environment.get('CI_PROJECT_URL', '')}/-/merge_requests/{number}",
        run_url=environment.get("CI_JOB_URL"),
    )
