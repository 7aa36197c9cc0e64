"""Flower's grid without Flower's processes: ClientApps called here, one after the other, through public classes.

One name is not public: Flower's process for a ServerApp says in `TaskIdentity` which run it is, and no message is made
without. Deterministic, and seconds where processes take minutes. What a party does wrong is a function in its app's place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

Answer = Callable[[Message, Context], Message | None]  # None: no answer in time


@dataclass
class InProcessNode:
    """A node: an app, and what Flower would hand it."""

    context: Context
    answer: Answer
    online: bool = True


@dataclass
class InProcessGrid(Grid):
    """Nodes by id; `send_and_receive` asks each in turn."""

    nodes: Mapping[int, InProcessNode]
    sent: list[Message] = field(default_factory=list)

    def set_run(self, run: Any) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Any:
        raise NotImplementedError

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise NotImplementedError

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        return [node_id for node_id, node in self.nodes.items() if node.online]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Sequence[Message]:
        assert timeout is None or timeout > 0
        return [reply for message in messages if (reply := self._ask(message)) is not None]

    def _ask(self, message: Message) -> Message | None:
        self.sent.append(message)
        node = self.nodes[message.metadata.dst_node_id]
        try:
            return node.answer(message, node.context)
        except Exception as error:  # as Flower's own process for a ClientApp does
            return Message(Error(code=0, reason=f"{type(error)}:<'{error}'>"), reply_to=message)


def make_node(app: ClientApp, node_id: int, **config: str) -> InProcessNode:
    return InProcessNode(Context(1, node_id, dict(config), RecordDict(), {}), app)


def server_context(**config: str | Path) -> Context:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 0
    return Context(1, 0, {}, RecordDict(), {name: str(value) for name, value in config.items()})
