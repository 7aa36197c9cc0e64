"""`status`: what became of a submission, or of all."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared.errors import FetchError, UsageError
from manyheads_shared.terminal import EXIT_NO, print_json, stderr, stdout

if TYPE_CHECKING:
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared.api import EvaluationInfo, Notice, ShareInfo, SubmissionInfo

POLL_SECONDS = 2.0
MAX_POLL_SECONDS = 15.0
_NO_ANSWER_SECONDS = 120.0  # of a hub that was there before: it may be restarting
PUBLISH_SECONDS = 120.0  # after it is accepted: a hub with its offline keys at hand has published it by then
_SHOWN_SOURCES = 5
_WORDS = {
    "received": "waiting for its evaluation",
    "evaluating": "being evaluated",
    "challenged": "waiting for your answer to the ownership challenge, or for its measurement",
    "accepted": "accepted",
    "refused": "refused",
    "failed": "failed: the hub could not evaluate it",
}


def status(
    submission_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The submission, as `submit` named it. Without it, all of yours.")
    ] = None,
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    token_file: Annotated[Path | None, typer.Option(help="File with the hub's token; otherwise MANYHEADS_TOKEN.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is refused, failed, challenged, or accepted and in a bundle.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the submission, or the list, as JSON.")] = False,
) -> None:
    """Show what became of a submission: its state, the reasons, the hub's figures. Exit code 1 when it was refused or failed.

    Without ID, list your submissions, newest first, and what the hub's present primary asks of you.

    Example: manyheads-contributor status 3f0a9c1d2b4e --hub https://hub.example --token-file token --wait
    """
    from manyheads_contributor.credentials import read_token
    from manyheads_contributor.hub_client import HubClient

    if wait and submission_id is None:
        raise UsageError("--wait waits for one submission; name it, `status` without --wait lists yours")
    with HubClient(hub, read_token(token_file)) as client:
        if submission_id is None:
            _show_all(client.list_submissions(), client.list_notices(), as_json=as_json)
            return
        info = client.get_submission(submission_id)
        if wait:
            info = _wait(client, info)
    if as_json:
        print_json(info.model_dump(mode="json"))
    else:
        _show(info)
    if info.state in ("refused", "failed"):
        raise typer.Exit(EXIT_NO)


def _wait(client: "HubClient", info: "SubmissionInfo") -> "SubmissionInfo":
    """Ask again, less and less often, until the hub has decided; for an accepted head a while longer, until a bundle has it."""
    from manyheads_contributor.hub_client import is_passing

    pause, silent_since, accepted_since, under_way = POLL_SECONDS, None, None, _is_under_way(client, info)
    with stderr.status(_line(info)) as line:
        while under_way:
            if info.state == "accepted":
                accepted_since = accepted_since or time.monotonic()
                if time.monotonic() - accepted_since > PUBLISH_SECONDS:
                    break
                pause = POLL_SECONDS
            time.sleep(pause)
            pause = min(pause * 1.2, MAX_POLL_SECONDS)
            try:
                info = client.get_submission(info.id)
                under_way = _is_under_way(client, info)
            except FetchError as error:
                silent_since = silent_since or time.monotonic()
                if not is_passing(error) or time.monotonic() - silent_since > _NO_ANSWER_SECONDS:
                    raise
                line.update(f"{info.id}: the hub does not answer, asking again")
            else:
                silent_since = None
                line.update(_line(info))
    return info


def _is_under_way(client: "HubClient", info: "SubmissionInfo") -> bool:
    """Whether the hub has something to do for it: an open challenge is the owner's to answer, an answered one the hub's."""
    if info.state == "challenged":
        return client.get_challenge(info.id).state == "answered"
    return info.state in ("received", "evaluating") or _awaits_bundle(info)


def _awaits_bundle(info: "SubmissionInfo") -> bool:
    """Whether a bundle with it is to be expected: an accepted head with a reason enters none."""
    return info.state == "accepted" and info.bundle_sequence is None and not info.reasons


def _line(info: "SubmissionInfo") -> str:
    queue = f", place in the queue: {info.queue_position}" if info.queue_position else ""
    return f"submission {info.id}, {info.generator.title}: {_WORDS[info.state]}{queue}"


def _show_all(submissions: "list[SubmissionInfo]", notices: "list[Notice]", *, as_json: bool) -> None:
    if as_json:
        print_json([info.model_dump(mode="json") for info in submissions])
        return
    for notice in notices:
        stdout.print(f"notice: {notice.message}", soft_wrap=True, markup=False)
    for info in submissions:
        stdout.print(f"{_line(info)}, {info.created}", soft_wrap=True, markup=False)
    if not submissions:
        stdout.print("no submission yet; offer a head with `manyheads-contributor submit`")


def _show(info: "SubmissionInfo") -> None:
    stdout.print(_line(info), soft_wrap=True, markup=False)
    for reason in info.reasons:
        stdout.print(f"- {reason.message} ({reason.code})", soft_wrap=True, markup=False)
    if info.evaluation:
        for line in describe_evaluation(info.evaluation):
            stdout.print(f"  {line}", soft_wrap=True, markup=False)
    if info.bundle_sequence:
        stdout.print(f"published in bundle {info.bundle_sequence}; clients get it with their next `manyheads pull`")
    elif info.state == "accepted":
        stdout.print("not in a bundle yet: the hub publishes it when its offline keys are at hand")


def describe_evaluation(evaluation: "EvaluationInfo") -> list[str]:
    """Say a hub's figures in words, worst sources first."""
    lines = [
        f"recognises {_share(evaluation.recall)} of the proof images (at logit {evaluation.threshold:.2f} or above)",
        f"AUROC {evaluation.auroc:.4f}: the chance that one of its own images scores above one that is not",
    ]
    ranked = sorted(evaluation.false_positives, key=lambda source: (-source.yes.share, source.source))
    for source in ranked[:_SHOWN_SOURCES]:
        unseen = ", held out" if source.external else ""
        lines.append(f"wrongly claims {_share(source.yes)} of {source.kind} images of {source.source}{unseen}")
    if len(ranked) > _SHOWN_SOURCES:
        lines.append(
            f"wrongly claims no more than that of {len(ranked) - _SHOWN_SOURCES} other sources (--json names them all)"
        )
    if evaluation.contradiction:
        lines.append(f"claims {_share(evaluation.contradiction)} of the images that the detector calls real")
    return lines


def _share(share: "ShareInfo") -> str:
    return (
        f"{100 * share.share:.1f} % ({share.hits} of {share.total}; "
        f"95 % interval {100 * share.lower:.1f} to {100 * share.upper:.1f})"
    )
