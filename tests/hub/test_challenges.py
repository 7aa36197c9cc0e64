"""The ownership challenge, from the gate to the catalogue or a refusal; and the budget of the hidden suite."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from manyheads_hub.accounts import tokens
from manyheads_hub.audit import log
from manyheads_hub.audit.tables import AuditRow
from manyheads_hub.auth import authenticate
from manyheads_hub.errors import ConflictError, NotFoundError, SubmissionError
from manyheads_hub.evaluations import assessment, jobs
from manyheads_hub.evaluations.coarse import coarsen
from manyheads_hub.evaluations.examination import examine
from manyheads_hub.evaluations.policy import Policy, write_policy
from manyheads_hub.evaluations.task import Task
from manyheads_hub.hub import Hub
from manyheads_hub.settings import Limits
from manyheads_hub.submissions import answers, service
from manyheads_hub.tables import ChallengeRow
from manyheads_shared.accounts import TokenRequest
from manyheads_shared.api import ChallengeAnswer, ChallengeInfo
from manyheads_shared.challenge import derive_seeds
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import SignatureError, StatementError
from manyheads_shared.keys import generate_key
from manyheads_shared.statements import AnswerPredicate, sign_answer
from tests.support.live_hub import Owner, enrol, find, hand_over_files, let_leases_run_out, package, submit, work
from tests.support.makers import TIME, make_generator
from tests.support.world import draw_images, encode

ALPHA = make_generator("alpha")
ASKED = 24


@pytest.fixture
def challenged(hub: Hub, ada: Owner) -> str:
    write_policy(hub.settings.policy, Policy.new(challenge_images=ASKED))
    submission = submit(hub, ada, package(ada, ALPHA))
    work(hub)
    return submission


def fresh(name: str = "alpha", count: int = ASKED) -> list[bytes]:
    return [encode(image) for image in draw_images(name, count, seed=77)]


def answer(hub: Hub, owner: Owner, submission: str, images: list[bytes], **changes: object) -> ChallengeInfo:
    """Answer with these images; `changes` are lies of the statement."""
    caller = hand_over_files(hub, owner, images)
    with hub.database.read() as session:
        challenge = answers.get_challenge(session, caller, submission)
    said = {
        "generator": challenge.generator,
        "submission": submission,
        "nonce": challenge.nonce,
        "images": tuple(digest_bytes(image) for image in images),
        "created": TIME,
    }
    statement = sign_answer(Digest(challenge.head), AnswerPredicate.model_validate(said | changes), owner.key)
    hand_over_files(hub, owner, [statement])
    reply = ChallengeAnswer(statement=digest_bytes(statement), images=[digest_bytes(image) for image in images])
    return answers.take_answer(hub, caller, submission, reply)


def test_a_head_that_passes_is_challenged_and_listed_nowhere_yet(hub: Hub, ada: Owner, challenged: str) -> None:
    info = find(hub, challenged)
    assert (info.state, [reason.code for reason in info.reasons], info.bundle_sequence) == (
        "challenged",
        ["challenge-issued"],
        None,
    )
    with hub.database.read() as session:
        challenge = answers.get_challenge(session, hand_over_files(hub, ada, []), challenged)
    assert challenge.state == "open"
    assert tuple(challenge.seeds) == derive_seeds(challenge.nonce, ASKED)


def test_fresh_images_that_the_head_recognises_bring_it_into_the_catalogue(hub: Hub, ada: Owner, challenged: str) -> None:
    assert answer(hub, ada, challenged, fresh()).state == "answered"
    work(hub)
    info = find(hub, challenged)
    assert (info.state, info.reasons, info.bundle_sequence) == ("accepted", [], 2)


def test_images_of_something_else_refuse_it(hub: Hub, ada: Owner, challenged: str) -> None:
    answer(hub, ada, challenged, fresh("photos"))
    work(hub)
    info = find(hub, challenged)
    assert (info.state, [reason.code for reason in info.reasons]) == ("refused", ["challenge-not-recognised"])


def test_images_that_another_accepted_head_claims_are_contested(hub: Hub, ada: Owner) -> None:
    submit(hub, ada, package(ada, make_generator("beta")))
    work(hub)
    write_policy(hub.settings.policy, Policy.new(challenge_images=ASKED))
    submission = submit(hub, ada, package(ada, ALPHA))
    work(hub)
    answer(hub, ada, submission, fresh("beta"))
    work(hub)
    assert "challenge-contested" in {reason.code for reason in find(hub, submission).reasons}


def test_without_an_answer_the_deadline_refuses_it(hub: Hub, ada: Owner, challenged: str) -> None:
    with hub.database.write() as session:
        session.execute(update(ChallengeRow).values(deadline=TIME))
    with pytest.raises(ConflictError, match="has passed"):
        answer(hub, ada, challenged, fresh())
    let_leases_run_out(hub)
    work(hub)
    info = find(hub, challenged)
    assert (info.state, [reason.code for reason in info.reasons]) == ("refused", ["challenge-expired"])


def test_before_the_deadline_the_worker_leaves_it_open(hub: Hub, challenged: str) -> None:
    let_leases_run_out(hub)
    work(hub)
    assert find(hub, challenged).state == "challenged"


def test_an_answer_is_given_once_and_the_same_again_is_no_second(hub: Hub, ada: Owner, challenged: str) -> None:
    first = answer(hub, ada, challenged, fresh())
    assert answer(hub, ada, challenged, fresh()) == first
    with pytest.raises(ConflictError, match="given once"):
        answer(hub, ada, challenged, fresh("beta"))


def test_proofs_too_few_and_somebody_elses_answers_are_refused_at_the_door(hub: Hub, ada: Owner, challenged: str) -> None:
    with pytest.raises(SubmissionError, match="expected 24 images"):
        answer(hub, ada, challenged, fresh(count=ASKED - 1))
    with pytest.raises(SubmissionError, match="came as proofs"):
        answer(hub, ada, challenged, [*fresh(count=ASKED - 1), package(ada, ALPHA).proofs[0]])
    with pytest.raises(StatementError, match="another submission, nonce"):
        answer(hub, ada, challenged, fresh(), nonce="0" * 32)
    with pytest.raises(SignatureError):
        answer(hub, Owner(ada.name, generate_key(), ada.token), challenged, fresh())
    with pytest.raises(NotFoundError):
        answer(hub, enrol(hub, "bob", ["gamma"]), challenged, fresh())


def test_figures_are_told_in_steps_until_the_challenge_is_met(hub: Hub, ada: Owner, challenged: str) -> None:
    waiting = find(hub, challenged).evaluation
    assert waiting is not None
    assert waiting == coarsen(waiting)
    assert waiting.threshold * 2 == round(waiting.threshold * 2)
    answer(hub, ada, challenged, fresh())
    work(hub)
    accepted = find(hub, challenged).evaluation
    assert accepted is not None
    assert coarsen(accepted) == waiting != accepted


def test_a_token_for_another_generator_neither_sees_nor_answers_a_challenge(hub: Hub, ada: Owner, challenged: str) -> None:
    request = TokenRequest(label="ci", scopes=["read", "submit"], days=1, generators=["beta"])
    with hub.database.write() as session:
        token = tokens.issue_own(session, authenticate(session, ada.token), request).token
    with pytest.raises(NotFoundError):
        answer(hub, Owner(ada.name, ada.key, token), challenged, fresh())


def test_an_answer_that_could_not_be_measured_is_no_second_challenge(hub: Hub, ada: Owner, challenged: str) -> None:
    answer(hub, ada, challenged, fresh())
    hub.settings.policy.write_text("no policy")
    work(hub)
    with hub.database.read() as session:
        issued = session.scalars(select(func.count()).where(AuditRow.action == "submission.challenged")).one()
        assert "expected JSON" in (jobs.last_error(session, challenged) or "")
    assert (find(hub, challenged).state, issued) == ("challenged", 1)


def test_two_heads_measured_at_once_get_no_more_answers_than_the_budget(hub: Hub, ada: Owner) -> None:
    policy = Policy.new(examinations_per_epoch=1)
    write_policy(hub.settings.policy, policy)
    first, second = (submit(hub, ada, package(ada, make_generator(name))) for name in ("alpha", "beta"))
    with hub.database.write() as session:
        leases = [jobs.claim(session), jobs.claim(session)]
    tasks = [assessment.prepare(hub, submission) for submission in (first, second)]  # both before either is concluded
    for lease, task in zip(leases, tasks, strict=True):
        assert lease is not None
        assert isinstance(task, Task)
        assessment.conclude(hub, lease, task, examine(task, choose_compute()))
    info = find(hub, second)
    assert (find(hub, first).state, info.state) == ("accepted", "refused")
    assert ([reason.code for reason in info.reasons], info.evaluation) == (["budget-spent"], None)


def test_an_answer_stands_in_the_audit_log(hub: Hub, ada: Owner, challenged: str) -> None:
    answer(hub, ada, challenged, fresh())
    with hub.database.read() as session:
        line = log.newest(session, 1, subject=challenged)[0]
    assert (line.action, line.actor, line.details["images"]) == ("challenge.answered", ada.name, ASKED)


def test_the_budget_of_an_epoch_ends_and_says_so(hub: Hub, ada: Owner) -> None:
    write_policy(hub.settings.policy, Policy.new(examinations_per_epoch=1))
    submit(hub, ada, package(ada, ALPHA))
    work(hub)
    second = submit(hub, ada, package(ada, make_generator("beta")))
    work(hub)
    info = find(hub, second)
    assert (info.state, [reason.code for reason in info.reasons], info.evaluation) == ("refused", ["budget-spent"], None)
    with hub.database.read() as session:
        budget = service.get_budget(session, hand_over_files(hub, ada, []), Policy.new(examinations_per_epoch=1), Limits())
    assert (budget.examinations, budget.limit) == (1, 1)


def test_another_suite_is_another_epoch(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    write_policy(hub.settings.policy, Policy.new(examinations_per_epoch=1))
    submit(hub, ada, package(ada, ALPHA))
    work(hub)
    suite = shutil.copytree(hub.suite_folder(), tmp_path / "another")
    (suite / "real" / "photos" / "another.png").write_bytes(encode(draw_images("photos", 1, seed=88)[0]))
    hub.settings.with_suite(suite).write()
    second = submit(hub, ada, package(ada, make_generator("beta")))
    work(hub)
    assert find(hub, second).state == "accepted"
