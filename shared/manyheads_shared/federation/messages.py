"""The names in the messages between coordinator and parties. Flower's records carry them; this module knows no Flower."""

from manyheads_shared import __version__

# kinds of message, as Flower spells them: category.action
TRAIN = "train.round"
MEASURE = "query.statistics"

# records in a message
TRAINING = "training"  # configuration: which training, which round
WEIGHTS = "weights"  # arrays
STATISTICS = "statistics"  # arrays
FIGURES = "figures"  # metrics

# fields of the above
OPENING = "opening"  # bytes to a party: the signed first line of the record; text from one: its digest
LINE = "line"  # bytes to a party: the last line of the record, which names the weights that are sent
ROUND = "round"
EXAMPLES = "examples"
LOSS = "loss"

# run and node configuration
FOLDER = "folder"  # of the training, where the SuperLink runs
KEY = "key"  # that signs its record
SITE = "site"  # a party's policy file

APP_NAME = "federation"
APP_PUBLISHER = "manyheads"


def app_project() -> str:
    """The Flower app, as a pyproject.toml: it holds no code, only the names of two objects that are installed on both sides.

    Coordinator and parties build it from the same version of manyheads and so get the same bundle.
    """
    return f"""[project]
name = "{APP_NAME}"
version = "{__version__}"
description = "Trains a manyheads primary over several parties' images."
dependencies = []

[tool.flwr.app]
publisher = "{APP_PUBLISHER}"

[tool.flwr.app.components]
serverapp = "manyheads_hub.federation.server_app:app"
clientapp = "manyheads_contributor.federation.client_app:app"

[tool.flwr.app.config]
{FOLDER} = ""
{KEY} = ""
"""
