"""How HTML is rendered here: one environment for the report and the local page. Whatever a file says is data and is escaped."""

import base64

import jinja2

from manyheads_client import sentences
from manyheads_client.bars import EXAMPLE, logit_in_words
from manyheads_client.listing import ANSWERS
from manyheads_client.words import MEANINGS, printable


def build_environment() -> jinja2.Environment:
    """Return the environment: our templates, our filters, and the words that every page says."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("manyheads_client"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "data_uri": _data_uri,
        "logit": logit_in_words,
        "percent": sentences.percent,
        "printable": printable,
    }
    environment.globals |= {"answers": ANSWERS, "example": EXAMPLE, "meanings": MEANINGS, "say": sentences}
    return environment


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
