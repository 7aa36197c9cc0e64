"""The audit log: a line for every change, in its transaction, and no way to alter one unseen."""

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import IntegrityError

from manyheads_hub.audit import log
from manyheads_hub.audit.chain import EMPTY, GENESIS, AuditEntry, AuditError, Head, read_lines, verify_chain
from manyheads_hub.audit.log import Actor
from manyheads_hub.audit.tables import AuditHeadRow, AuditRow
from manyheads_hub.hub import Hub
from manyheads_shared.digest import digest_bytes
from tests.support.live_hub import Owner, package, submit, work
from tests.support.makers import make_generator

GRACE = Actor("grace", 7)


def record(hub: Hub, *subjects: str) -> list[AuditEntry]:
    with hub.database.write() as session:
        return [log.record(session, GRACE, "head.yanked", subject, reason="claims cats") for subject in subjects]


def lines(hub: Hub) -> list[bytes]:
    with hub.database.read() as session:
        return [entry.to_bytes() for entry in log.entries(session)]


def verify(hub: Hub, *anchors: Head) -> Head:
    with hub.database.read() as session:
        return log.verify(session, anchors=anchors)


def test_a_line_says_who_did_what_to_what_and_why(hub: Hub) -> None:
    (entry,) = record(hub, "alpha@1")
    assert (entry.actor, entry.token, entry.action, entry.subject, entry.reason) == (
        "grace",
        7,
        "head.yanked",
        "alpha@1",
        "claims cats",
    )


def test_every_line_names_the_digest_of_the_bytes_of_the_one_before(hub: Hub) -> None:
    record(hub, "alpha@1", "beta@1")
    exported = list(read_lines(lines(hub)))
    assert exported[0].previous == GENESIS
    assert [entry.previous for entry in exported[1:]] == [digest_bytes(line) for line in lines(hub)[:-1]]
    assert verify(hub) == Head(len(exported), digest_bytes(lines(hub)[-1]))


def test_what_is_rolled_back_leaves_no_line(hub: Hub) -> None:
    before = verify(hub)

    def record_and_fail() -> None:
        with hub.database.write() as session:
            log.record(session, GRACE, "head.yanked", "alpha@1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        record_and_fail()
    assert verify(hub) == before


@pytest.mark.parametrize("change", [update(AuditRow).values(reason="nothing"), delete(AuditRow)])
def test_the_database_refuses_to_change_or_remove_a_line(hub: Hub, change: object) -> None:
    record(hub, "alpha@1")
    with pytest.raises(IntegrityError, match="only ever appended to"), hub.database.write() as session:
        session.execute(change)  # type: ignore[call-overload]


EXCHANGE = (
    "UPDATE audit SET sequence = 105 - sequence WHERE sequence > 1; "
    "UPDATE audit SET sequence = sequence - 100 WHERE sequence > 9"
)
ADD = (
    "INSERT INTO audit SELECT 4, time, actor, token, action, subject, '', details, digest, digest FROM audit WHERE sequence = 3"
)

BREAKS: dict[str, tuple[str, str]] = {
    "another reason": ("UPDATE audit SET reason = 'nothing' WHERE sequence = 2", "line 3 follows|line 2"),
    "another actor of the newest": ("UPDATE audit SET actor = 'mallory' WHERE sequence = 3", "line 3 has digest"),
    "a line less": ("DELETE FROM audit WHERE sequence = 2", "expected line 2, got line 3"),
    "the newest cut off": ("DELETE FROM audit WHERE sequence = 3", "lines were cut off"),
    "two lines exchanged": (EXCHANGE, "follows a line of digest"),
    "a line more": (ADD, "lines were added"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_whoever_gets_round_the_database_is_found_out(hub: Hub, name: str) -> None:
    start_over(hub)
    record(hub, "alpha@1", "beta@1", "gamma@1")
    statements, words = BREAKS[name]
    with hub.database.write() as session:
        for statement in (*DROP_TRIGGERS, *statements.split("; ")):
            session.execute(text(statement))
    with pytest.raises(AuditError, match=words):
        verify(hub)


DROP_TRIGGERS = ("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete")


def start_over(hub: Hub) -> None:
    """The template's hub has lines of its own; these stories count from 1."""
    triggers = "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
    with hub.database.write() as session:
        made = session.scalars(text(triggers)).all()
        for statement in (*DROP_TRIGGERS, "DELETE FROM audit", *made):
            session.execute(text(statement))
        session.execute(update(AuditHeadRow).values(sequence=0, digest=GENESIS))


def test_a_log_rewritten_whole_is_found_out_by_an_anchor(hub: Hub) -> None:
    start_over(hub)
    record(hub, "alpha@1", "beta@1")
    anchor = verify(hub)
    start_over(hub)
    record(hub, "alpha@1", "gamma@1", "beta@1")
    assert verify(hub).sequence == 3
    with pytest.raises(AuditError, match="had another when the anchor was taken"):
        verify(hub, anchor)


def test_an_exported_log_is_verified_without_a_hub(hub: Hub) -> None:
    record(hub, "alpha@1", "beta@1")
    exported = lines(hub)
    assert verify_chain(read_lines(exported)) == verify(hub)
    with pytest.raises(AuditError, match=r"line 1: .*canonical"):
        verify_chain(read_lines([exported[0].replace(b'"action"', b' "action"')]))
    assert verify_chain([]) == EMPTY


def test_a_submission_leaves_its_whole_story(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    with hub.database.read() as session:
        story = [(entry.actor, entry.action) for entry in reversed(log.newest(session, 10, subject=submission))]
        actions = [entry.action for entry in log.entries(session)]
    assert story == [("ada", "submission.received"), ("worker", "submission.accepted")]
    assert actions[:3] == ["primary.added", "primary.published", "bundle.published"]
    assert actions[-1] == "bundle.published"
    assert verify(hub)
