"""Whether a record agrees with itself and with the instrument it names. Pure: a record in, sentences about what disagrees out.

Everything that follows from other fields is computed again by the functions that made it. What came from outside (the file,
its picture, the logits) stands as it is written; a bundle (`recomputation`) and the images (`originals`) say more of it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from manyheads_client.judgement import fits_sides, name_condition, round_ratio, survives
from manyheads_shared.condition import Stratum, strata
from manyheads_shared.decision import Circumstances, State, answer, decide, qualify
from manyheads_shared.evidence import EvidenceRecord, Examined, Instrument, Result, Standing, Trial
from manyheads_shared.rungs import Rung
from manyheads_shared.support import is_within, ratio_of_answer

_ROUNDING = 5e-4  # a record's ratios have three decimals, an instrument's cap has all of them
_CLAIMS = {  # how many heads claim an image of each state (E1): at least, at most
    State.REAL: (0, 0),
    State.ATTRIBUTED: (1, 1),
    State.MULTIPLE: (2, None),
    State.UNATTRIBUTED: (0, 0),
    State.CONTRADICTORY: (1, None),
    State.INCONCLUSIVE: (0, None),
}


def check_record(entry: Examined) -> Iterator[str]:
    """Say where a record disagrees with itself or its instrument.

    The plan: (1) the condition is of a picture of the size that the primary sees, and its strata are read from it (E4); for
    every network (2) the answer is that of its logit and band (C1); (3) validity is what the instrument covers (E2); (4) the
    ratio is bounded by its cap, or follows from the counts that stand beside it (E5), inside its interval; (5) the state by the
    scores and the claims follow from the answers (E1); (6) every trial has as many claims as its state; (7) doubts, state and
    explanation follow from all this (E2).
    """
    record, instrument = entry.record, entry.instrument
    # step 1
    yield from _check_condition(record, instrument)
    # steps 2 to 4
    fits = fits_sides(record.item, instrument.calibration.sides)
    yield from _check_network("the detector", record.detector, instrument.detector, record.strata, fits=fits)
    for used, result in entry.heads:
        yield from _check_network(used.generator.title, result, used.standing, record.strata, fits=fits)
    # step 6
    for trial in record.trials or ():
        yield from _check_trial(trial, instrument)
    # steps 5 and 7
    yield from _check_verdict(record, instrument)


def _check_condition(record: EvidenceRecord, instrument: Instrument) -> Iterator[str]:
    size = instrument.primary.image_size
    item, seen = record.item, (record.condition.width, record.condition.height)
    expected = (item.width, item.height) if size is None else (size, size)
    if seen != expected:
        yield f"condition: expected that of a picture of {expected[0]}x{expected[1]} pixels, it is of {seen[0]}x{seen[1]}"
    if strata(record.condition, instrument.calibration.usual) != record.strata:
        yield "strata: they are not those of the condition"


def _check_network(name: str, result: Result, standing: Standing, found: Sequence[Stratum], *, fits: bool) -> Iterator[str]:
    if answer(result.logit, standing.band) is not result.answer:
        expected = answer(result.logit, standing.band).value
        yield f"{name}: the answer to logit {result.logit:g} is {expected} by its band, the record says {result.answer.value}"
    yield from _check_validity(name, result, standing, found, fits=fits)
    yield from _check_ratio(name, result, standing, found)


def _check_validity(name: str, result: Result, standing: Standing, found: Sequence[Stratum], *, fits: bool) -> Iterator[str]:
    if result.valid and not fits:
        yield f"{name}: said to be valid for an image of a size that its tests do not cover"
    elif result.valid and not is_within(standing.validated, found):
        yield f"{name}: said to be valid for a condition beyond what the instrument was validated for"
    elif not result.valid and fits and is_within(standing.validated, found):
        yield f"{name}: said not to be valid for a condition that the instrument was validated for"


def _check_ratio(name: str, result: Result, standing: Standing, found: Sequence[Stratum]) -> Iterator[str]:
    ratio, reach = result.log10_ratio, result.reach
    if (ratio is None and (result.lower, result.upper) != (None, None)) or (
        ratio is not None and not (_least(result.lower) <= ratio <= _most(result.upper))
    ):
        yield f"{name}: the ratio does not lie inside its interval"
    if standing.cap is None:
        if ratio is not None or reach is not None:
            yield f"{name}: a ratio or a reach, where the instrument has no figures for any"
    elif not found:
        if reach is not None:
            yield f"{name}: figures of a rung, for an image that shows no degradation"
        if ratio is None:
            yield f"{name}: no ratio, for an image that shows no degradation"
        elif ratio > standing.cap + _ROUNDING:
            yield f"{name}: a log10 ratio of {ratio:g}, and the instrument's cap is {standing.cap:g}"
    else:
        yield from _check_reach(name, result, found)


def _check_reach(name: str, result: Result, found: Sequence[Stratum]) -> Iterator[str]:
    reach = result.reach
    rungs = [stratum.rung for stratum in found]
    if reach is None:
        if result.log10_ratio is not None:
            yield f"{name}: a ratio for a degraded image, without the figures it comes from"
        return
    if Rung(reach.ladder, reach.strength) not in rungs:  # type: ignore[arg-type]  # a rung of no ladder equals none
        yield f"{name}: figures of {reach.ladder} {reach.strength:g}, which is no rung the image falls on"
    shares = (reach.recall, reach.real, reach.worst.yes if reach.worst else None)
    if any(share.hits > share.total for share in shares if share):
        yield f"{name}: figures of {reach.ladder} {reach.strength:g} that count more hits than images"
        return
    expected = ratio_of_answer(result.answer, reach)
    rounded = tuple(map(round_ratio, (expected.value, expected.lower, expected.upper))) if expected else (None, None, None)
    given = (result.log10_ratio, result.lower, result.upper)
    if given != rounded and (len(found) == 1 or result.log10_ratio is not None):  # of two rungs one may not be measured
        yield f"{name}: the ratio is not that of the answer in the figures beside it"


def _check_trial(trial: Trial, instrument: Instrument) -> Iterator[str]:
    least, most = _CLAIMS[trial.state]
    count = len(trial.claimed_by)
    if count < least or (most is not None and count > most):
        yield f"trial ({trial.change}): {trial.state.value} with {count} claims"
    if not set(trial.claimed_by) <= set(instrument.titles):
        yield f"trial ({trial.change}): claimed by a head that the instrument does not have"


def _check_verdict(record: EvidenceRecord, instrument: Instrument) -> Iterator[str]:
    results = (record.detector, *record.heads)
    with np.errstate(over="ignore"):  # a number that no network gives is infinite here, and its answer the same
        logits = np.array([result.logit for result in results], dtype=np.float64).astype(np.float32)
    bands = [head.standing.band for head in instrument.heads]
    by_scores = decide(logits, instrument.detector.band, bands, instrument.titles)
    claimed = tuple(instrument.titles[i] for i in by_scores.claimed_by)
    circumstances = Circumstances(
        detector_valid=record.detector.valid,
        heads_valid=[result.valid for result in record.heads],
        stable=survives(record.trials, by_scores.state, claimed),
        condition=name_condition(record.item, record.strata, instrument.calibration.sides),
    )
    verdict, doubts = qualify(by_scores, circumstances, instrument.titles)
    if record.scores_say is not by_scores.state:
        yield f"scores_say: {by_scores.state.value} by the logits and bands, the record says {record.scores_say.value}"
    if record.claimed_by != claimed:
        yield f"claimed_by: {_named(claimed)} by the logits and bands, the record says {_named(record.claimed_by)}"
    if record.doubts != doubts:
        yield f"doubts: the rule gives {len(doubts)}, the record says {len(record.doubts)}, or words them otherwise"
    if record.state is not verdict.state:
        yield f"state: {verdict.state.value} by the rule, the record says {record.state.value}"
    if record.explanation != verdict.explanation:
        yield "explanation: it is not that of the state"


def _named(titles: Sequence[str]) -> str:
    return ", ".join(titles) or "no head"


def _least(end: float | None) -> float:
    return -np.inf if end is None else end


def _most(end: float | None) -> float:
    return np.inf if end is None else end
