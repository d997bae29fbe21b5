"""Comments on pull requests, against the REST APIs as GitHub and GitLab document them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from harness.cli import main
from harness.forge.comment import Forge, comment_body, publish
from harness.forge.surroundings import pull_request_of

GITHUB = "https://api.github.com/repos/acme/shop/issues"
GITLAB = "https://gitlab.com/api/v4/projects/77/merge_requests/9/notes"
TOKEN = "ghs_never-to-be-shown"
TAG = "<!-- sentry-harness: verification -->"
ON_GITHUB = {
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_TOKEN": TOKEN,
    "GITHUB_RUN_ID": "4711",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
}
ON_GITLAB = {
    "CI_API_V4_URL": "https://gitlab.com/api/v4",
    "CI_PROJECT_ID": "77",
    "CI_PROJECT_URL": "https://gitlab.com/acme/shop",
    "CI_MERGE_REQUEST_IID": "9",
    "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/1",
    "GITLAB_TOKEN": TOKEN,
}


@pytest.fixture(autouse=True)
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A job of GitHub Actions for pull request 5, with a summary; gives the file of its event."""
    for name in (*ON_GITLAB, "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ON_GITHUB.items():
        monkeypatch.setenv(name, value)
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"number": 5, "pull_request": {"number": 5}}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "summary.md").write_text("## ❌ Sentry verification\n\n1 of 3 tests failed.\n", encoding="utf-8")
    return event


def pull_request(environment: Mapping[str, str] = ON_GITHUB, number: int = 5) -> Forge:
    forge = pull_request_of(environment, number)
    assert forge is not None
    return forge


def github_comment(number: int, body: str | None) -> dict[str, Any]:
    return {"id": number, "body": body, "html_url": f"https://github.com/acme/shop/pull/5#issuecomment-{number}"}


def body_of(call: responses.Call) -> str:
    sent: str = json.loads(call.request.body or "")["body"]
    return sent


def test_the_first_time_a_comment_is_created(
    api: responses.RequestsMock, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [github_comment(1, "LGTM"), github_comment(2, None), github_comment(3, f"> {TAG}\nquoted")]
    api.get(f"{GITHUB}/5/comments", json=others)
    authorised = {"Authorization": f"Bearer {TOKEN}", "X-GitHub-Api-Version": "2022-11-28"}
    api.post(
        f"{GITHUB}/5/comments", json=github_comment(8, ""), status=201, match=[matchers.header_matcher(authorised)]
    )
    assert main(["comment", "summary.md"]) == 0
    sent = body_of(api.calls[1])
    assert sent.startswith(f"{TAG}\n## ❌ Sentry verification\n\n1 of 3 tests failed.\n")
    assert sent.endswith("[The whole run](https://github.com/acme/shop/actions/runs/4711)")
    assert capsys.readouterr().out == "https://github.com/acme/shop/pull/5#issuecomment-8\n"


def test_the_comment_that_is_there_is_updated_also_on_a_later_page(api: responses.RequestsMock) -> None:
    second = f"{GITHUB}/5/comments?per_page=100&page=2"
    api.get(
        f"{GITHUB}/5/comments",
        json=[github_comment(number, "noise") for number in range(100)],
        headers={"Link": f'<{second}>; rel="next", <{second}>; rel="last"'},
        match=[matchers.query_param_matcher({"per_page": "100"})],
    )
    api.get(
        second,
        json=[github_comment(200, f"{TAG}\nold")],
        match=[matchers.query_string_matcher("per_page=100&page=2")],
    )
    api.patch(f"{GITHUB}/comments/200", json=github_comment(200, "new"))
    assert publish(pull_request(), "new", marker="verification").id == 200
    assert body_of(api.calls[2]).startswith(f"{TAG}\nnew")


def test_comments_of_other_markers_are_left_alone(api: responses.RequestsMock) -> None:
    api.get(f"{GITHUB}/5/comments", json=[github_comment(1, f"{TAG}\nold")])
    api.post(f"{GITHUB}/5/comments", json=github_comment(2, ""), status=201)
    publish(pull_request(), "new", marker="verification (shop)")
    assert body_of(api.calls[1]).startswith("<!-- sentry-harness: verification (shop) -->\n")


@pytest.mark.parametrize("marker", ["", "a-->b", "x--y", "two\nlines", "<b>"])
def test_a_marker_that_cannot_be_hidden_is_refused(marker: str) -> None:
    with pytest.raises(ValueError, match="must have 1 to 100 characters"):
        publish(pull_request(), "text", marker=marker)


def test_on_gitlab_it_is_a_note(api: responses.RequestsMock) -> None:
    authorised = matchers.header_matcher({"Authorization": f"Bearer {TOKEN}"})
    api.get(GITLAB, json=[{"id": 1, "body": "looks good"}, {"id": 2, "body": f"{TAG}\nold"}], match=[authorised])
    api.put(f"{GITLAB}/2", json={"id": 2, "body": "new"}, match=[authorised])
    written = publish(pull_request(ON_GITLAB, 9), "new", marker="verification")
    assert written.url == "https://gitlab.com/acme/shop/-/merge_requests/9#note_2"
    assert body_of(api.calls[1]).endswith("[The whole run](https://gitlab.com/acme/shop/-/jobs/1)")


def test_the_first_note_of_a_merge_request_is_created(api: responses.RequestsMock) -> None:
    api.get(GITLAB, json=[])
    api.post(GITLAB, json={"id": 3, "body": "new"}, status=201)
    forge = pull_request_of(ON_GITLAB)
    assert forge is not None
    assert publish(forge, "new", marker="verification").id == 3


def test_a_pipeline_without_a_merge_request_has_nothing_to_comment_on() -> None:
    assert pull_request_of({**ON_GITLAB, "CI_MERGE_REQUEST_IID": "", "GITLAB_TOKEN": ""}) is None


@pytest.mark.parametrize("event", [{"ref": "refs/heads/main"}, {"issue": {"number": 5}}])
def test_a_push_has_nothing_to_comment_on_even_without_a_token(
    surroundings: Path, event: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    surroundings.write_text(json.dumps(event))
    monkeypatch.delenv("GITHUB_TOKEN")
    assert main(["comment", "summary.md"]) == 0
    assert "nothing to comment on" in capsys.readouterr().out


def test_the_number_can_be_given(api: responses.RequestsMock, surroundings: Path) -> None:
    surroundings.write_text("{}")
    api.get(f"{GITHUB}/12/comments", json=[])
    api.post(f"{GITHUB}/12/comments", json=github_comment(1, ""), status=201)
    assert main(["comment", "summary.md", "--pull-request", "12"]) == 0


def test_limits_and_failures_are_waited_out(api: responses.RequestsMock) -> None:
    patience = {"Retry-After": "0"}
    api.get(f"{GITHUB}/5/comments", status=502)
    api.get(f"{GITHUB}/5/comments", json=[])
    api.post(f"{GITHUB}/5/comments", status=403, headers=patience, json={"message": "secondary rate limit"})
    api.post(f"{GITHUB}/5/comments", status=429)
    api.post(f"{GITHUB}/5/comments", status=201, json=github_comment(1, ""))
    assert publish(pull_request(), "text", marker="verification").id == 1
    assert len(api.calls) == 5


def test_a_comment_of_which_nobody_knows_is_looked_for_instead_of_written_twice(api: responses.RequestsMock) -> None:
    api.get(f"{GITHUB}/5/comments", json=[])
    api.post(f"{GITHUB}/5/comments", body=requests.ConnectionError("reset"))
    api.get(f"{GITHUB}/5/comments", json=[github_comment(6, f"{TAG}\ntext")])
    assert publish(pull_request(), "text", marker="verification").id == 6
    assert [call.request.method for call in api.calls] == ["GET", "POST", "GET"]


def test_a_long_summary_is_cut_between_lines_and_says_so() -> None:
    lines = [f"| {number} | {'ä' * 90} |" for number in range(2000)]
    text = comment_body("\n".join(lines), tag=TAG, longest=65_536, run_url="https://github.com/run")
    assert 65_000 < len(text) <= 65_536
    kept = text.removeprefix(f"{TAG}\n").partition("\n\n**Cut")[0].splitlines()
    assert kept == lines[: len(kept)]
    assert f"the first {len(kept)} of 2000 lines" in text
    assert "[the page of the run](https://github.com/run)" in text


def test_what_a_cut_leaves_open_is_closed() -> None:
    long = "<details><summary>9 warnings</summary>\n" + "* warning\n" * 100 + "</details>\n"
    text = comment_body(long, tag=TAG, longest=600, run_url=None)
    assert len(text) <= 600
    assert "* warning\n</details>\n\n**Cut" in text


def test_a_summary_that_just_fits_is_whole() -> None:
    whole = comment_body("x\n" * 50, tag=TAG, longest=10_000, run_url=None)
    assert comment_body("x\n" * 50, tag=TAG, longest=len(whole), run_url=None) == whole
    assert "**Cut" in comment_body("x\n" * 500, tag=TAG, longest=400, run_url=None)


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (403, {"message": "Resource not accessible by integration"}, "pull-requests: write"),
        (404, {"message": "Not Found"}, "pull requests from forks"),
        (401, {"message": "Bad credentials"}, "GITHUB_TOKEN is no valid token"),
        (422, {"message": "Validation Failed"}, "answered 422 to GET /repos/acme/shop/issues/5/comments"),
        (410, {}, "answered 410"),
    ],
)
def test_refusals_say_what_to_do(
    api: responses.RequestsMock,
    surroundings: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    said: dict[str, str],
    expected: str,
) -> None:
    api.get(f"{GITHUB}/5/comments", status=status, json=said)
    assert main(["comment", "summary.md"]) > 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sentry-harness comment: api.github.com answered")
    assert expected in line
    assert said.get("message", "") in line
    assert TOKEN not in line


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_TOKEN": f"{TOKEN}\r\nX-Evil: 1"}, "contains characters that no token has"),
        ({"GITHUB_TOKEN": f"{TOKEN}ü"}, "contains characters that no token has"),
        ({"GITHUB_EVENT_PATH": "/nowhere.json"}, "GITHUB_EVENT_PATH (/nowhere.json) cannot be read"),
    ],
)
def test_what_is_missing_is_one_line(
    surroundings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    expected: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["comment", "summary.md"]) > 0
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert TOKEN not in line


def test_elsewhere_there_is_nowhere_to_comment(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert main(["comment", "summary.md"]) > 0
    assert "neither GitHub Actions" in capsys.readouterr().err


def test_a_summary_that_cannot_be_read_is_one_line(
    surroundings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["comment", "report/summary.md"]) > 0
    (tmp_path / "image.md").write_bytes(b"\x89PNG")
    assert main(["comment", "image.md"]) > 0
    missing, binary = capsys.readouterr().err.splitlines()
    assert "report/summary.md cannot be read" in missing
    assert "image.md cannot be read" in binary


def test_an_address_that_is_no_api_is_said(
    api: responses.RequestsMock, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.get(f"{GITHUB}/5/comments", body="<html>proxy</html>")
    assert main(["comment", "summary.md"]) > 0
    assert "answers no JSON" in capsys.readouterr().err
