"""Making the tables, and bringing older ones up to date. Apart from `database`, because Alembic takes a second to load."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from manyheads_hub.database import Database


def upgrade(database: Database) -> None:
    """Make the tables of a new database, or bring older ones up to date."""
    with database.writer.begin() as connection:
        command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for the migrations beside this module."""
    config = Config()
    config.set_main_option("script_location", "manyheads_hub:migrations")
    config.attributes["connection"] = connection
    return config
