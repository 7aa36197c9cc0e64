"""How HTML is rendered here: one environment for the report and the local page. Whatever a file says is data and is escaped."""

import jinja2

from manyheads_client.bars import logit_in_words
from manyheads_client.listing import ANSWERS
from manyheads_client.words import MEANINGS, SCALE, printable


def build_environment() -> jinja2.Environment:
    """Return the environment: our templates, our filters, and the words that every page explains."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("manyheads_client"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"logit": logit_in_words, "percent": _percent, "printable": printable, "odds": _cap}
    environment.globals |= {"answers": ANSWERS, "meanings": MEANINGS, "verbal": SCALE}
    return environment


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _cap(log10_ratio: float) -> str:
    return f"{10**log10_ratio:.0f} to 1"
