"""Which pull request a job runs for."""

from __future__ import annotations

from collections.abc import Mapping

from harness.forge.api import ForgeProblem
from harness.forge.comment import Forge
from harness.forge.github import github_pull_request
from harness.forge.gitlab import gitlab_merge_request


def pull_request_of(environment: Mapping[str, str], number: int | None = None) -> Forge | None:
    """The pull request on GitHub, or merge request on GitLab, that the job with these variables runs for.

    Args:
        environment: the job's variables.
        number: the pull request, when they do not tell.

    Returns:
        None when the job runs for no pull request.

    Raises:
        ForgeProblem: this is no job of either, or something it needs is missing.
    """
    if "GITHUB_REPOSITORY" in environment:
        return github_pull_request(environment, number)
    if "CI_API_V4_URL" in environment:
        return gitlab_merge_request(environment, number)
    raise ForgeProblem(
        "this is neither GitHub Actions (GITHUB_REPOSITORY is not set) nor GitLab CI (CI_API_V4_URL is not set), so "
        "there is nowhere to comment"
    )
