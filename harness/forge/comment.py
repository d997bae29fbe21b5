"""One comment on a pull request, written once and then kept up to date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from harness.forge.api import NoAnswer

_MARKER = re.compile(r"(?!.*--)[^<>\x00-\x1f]{1,100}")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment as the forge has it.

    Args:
        id: by which the forge knows it.
        body: its Markdown.
        url: where people read it.
    """

    id: int
    body: str
    url: str


class Forge(Protocol):
    """What this needs of a forge, for one pull request."""

    longest: int
    """Characters that a comment may have."""
    run_url: str | None
    """Page of the run that writes the comment."""

    def comments(self) -> Iterator[Comment]:
        """All comments of the pull request, oldest first."""
        ...

    def create(self, body: str) -> Comment:
        """Write another comment."""
        ...

    def update(self, comment: Comment, body: str) -> Comment:
        """Replace the text of a comment."""
        ...


def publish(forge: Forge, summary: str, *, marker: str) -> Comment:
    """Create the comment of this marker, or bring the one that is there up to date.

    Args:
        forge: the pull request.
        summary: Markdown.
        marker: name that tells the comments of several verifications on one pull request apart.

    Raises:
        ForgeProblem: it could not be written.
        ValueError: the marker cannot be hidden in a comment.
    """
    tag = _tag(marker)
    body = comment_body(summary, tag=tag, longest=forge.longest, run_url=forge.run_url)
    if (present := _find(forge, tag)) is not None:
        return forge.update(present, body)
    try:
        return forge.create(body)
    except NoAnswer:
        # It may have been written before the connection broke, and a second one would stay for ever.
        if (written := _find(forge, tag)) is None:
            raise
        return written


def comment_body(summary: str, *, tag: str, longest: int, run_url: str | None) -> str:
    """The text of a comment, cut at the end of a line where the forge allows no more.

    Args:
        summary: Markdown.
        tag: the hidden marker.
        longest: characters that a comment may have.
        run_url: page of the run, to link to.
    """
    link = f"[The whole run]({run_url})" if run_url else ""
    whole = _joined(tag, summary.strip(), link)
    if len(whole) <= longest:
        return whole
    lines = summary.strip().splitlines()
    where = f"is on [the page of the run]({run_url})" if run_url else "is in the report of the run"
    notice = f"**Cut: a comment has room for the first {{shown}} of {len(lines)} lines. The whole summary {where}.**"
    close = "\n</details>"
    room = longest - len(_joined(tag, "", notice.format(shown=len(lines)))) - len(close)
    shown = 0
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        shown += 1
    kept = "\n".join(lines[:shown])
    if kept.count("<details>") > kept.count("</details>"):
        kept += close
    return _joined(tag, kept, notice.format(shown=shown))


def _tag(marker: str) -> str:
    if not _MARKER.fullmatch(marker):
        raise ValueError(
            f"the marker {marker!r} must have 1 to 100 characters on one line, without '<', '>' and '--'"
        )
    return f"<!-- sentry-harness: {marker} -->"


def _find(forge: Forge, tag: str) -> Comment | None:
    # Only at the very start: whoever quotes the comment does not become it.
    return next((comment for comment in forge.comments() if comment.body.startswith(tag)), None)


def _joined(tag: str, text: str, ending: str) -> str:
    return "\n\n".join((f"{tag}\n{text}", ending)) if ending else f"{tag}\n{text}"
