"""What `init` and `suite` tell a maintainer about a suite before it is used."""

from pathlib import Path
from typing import TYPE_CHECKING

from manyheads_shared import terminal

if TYPE_CHECKING:
    from manyheads_hub.evaluations.policy import Policy


def tell_suite_notes(images: Path, policy: "Policy") -> None:
    """Decode a suite and write on stderr what cannot be used and what is too small.

    Raises:
        DatasetError: it cannot be a suite at all.
    """
    from manyheads_hub.evaluations.survey import survey_suite

    with terminal.progress() as progress:
        task = progress.add_task("looking at the suite", total=None)
        notes = survey_suite(images, policy, lambda done, total: progress.update(task, completed=done, total=total))
    for note in notes:
        terminal.stderr.print(f"note: {note}", markup=False, soft_wrap=True)
