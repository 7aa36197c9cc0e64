"""One image of a report in full: its answers as bars, its claims and facts in sentences. No page and no markup."""

from dataclasses import dataclass

from manyheads_client import sentences
from manyheads_client.bars import MAX_BARS, Axis, Bar, build_bars, claims_in_words
from manyheads_client.pictures import ItemPictures, Pictures
from manyheads_client.words import printable
from manyheads_shared.evidence import Examined


@dataclass(frozen=True)
class Card:
    """One image in full."""

    entry: Examined
    name: str
    pictures: ItemPictures | None
    bars: tuple[Bar, ...]
    more: tuple[Bar, ...]
    claims: tuple[str, ...]  # of the heads that say yes
    facts: tuple[str, ...]
    exif: str


def build_card(entry: Examined, pictures: Pictures, axis: Axis) -> Card:
    """Say everything there is to say of one image."""
    record, bars = entry.record, build_bars(entry, axis)
    return Card(
        entry,
        printable(entry.name),
        pictures.find(entry),
        bars[:MAX_BARS],
        bars[MAX_BARS:],
        claims_in_words(bars),
        tuple(sentences.facts(record)),
        sentences.exif(record.item),
    )
