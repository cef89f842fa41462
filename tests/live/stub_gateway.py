"""A FastAGI server of fifty lines that knows nothing of the gateway's: it judges the dialplan alone."""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Queue
from types import TracebackType
from typing import IO, Self, cast
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Turn:
    """One AGI session: its script, its arguments (the token checked and taken off), and the channel."""

    script: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    stream: IO[bytes]

    def ask(self, command: str) -> str:
        """The first line of the answer to a command; empty when Asterisk hung up on us."""
        try:
            self.stream.write(command.encode() + b"\n")
            self.stream.flush()
            return self.stream.readline().decode().rstrip("\n")
        except OSError:
            return ""

    def set(self, **variables: str) -> None:
        """Set channel variables; a session that was broken off meanwhile needs none."""
        for name, value in variables.items():
            answer = self.ask(f'SET VARIABLE {name} "{value}"')
            assert not answer or answer.startswith("200"), name


Handler = Callable[[Turn], None]


def dial(call_id: str, destination: str, *, trunk: str = "network", grant_s: str = "30", **more: str) -> Handler:
    """A handler that answers the caller and has the destination dialled."""

    def handle(turn: Turn) -> None:
        turn.ask("ANSWER")
        told = {"TG_CALL_ID": call_id, "TG_DEST": destination, "TG_TRUNK": trunk, "TG_GRANT_S": grant_s}
        turn.set(**told, TG_RING_S="5", TG_CALLER="12125550100", **more, TG_DECISION="dial")

    return handle


def bye(turn: Turn) -> None:
    """A handler that ends the call."""
    turn.set(TG_DECISION="bye")


class StubGateway:
    """Listens where the dialplan looks for the gateway; `handlers` by script, `turns` as they came."""

    def __init__(self, port: int, token: str) -> None:
        self.handlers: dict[str, Handler] = {"call": bye, "after-dial": bye}
        self.turns: Queue[Turn] = Queue()
        self._token = token
        self._listening = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.die()

    def turn(self, script: str, timeout_s: float = 20.0) -> Turn:
        """The next session, which must be of this script."""
        turn = self.turns.get(timeout=timeout_s)
        assert turn.script == script
        return turn

    def die(self) -> None:
        """Be gone: the port refuses, open sessions break."""
        if self._listening.fileno() == -1:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            one.close()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        # the switch may hang up on us at any moment, and `die` does so to it
        with suppress(OSError):
            self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as opened:
            stream = cast(IO[bytes], opened)
            environment: dict[str, str] = {}
            while line := stream.readline().decode().rstrip("\n"):
                key, _, value = line.partition(": ")
                assert key not in environment
                environment[key] = value
            if not environment:  # somebody only looked whether the port answers
                return
            arguments = [environment.get(f"agi_arg_{index}", "") for index in range(1, 20)]
            while arguments and not arguments[-1]:
                arguments.pop()
            assert arguments.pop() == self._token
            script = environment["agi_network_script"]
            turn = Turn(script, tuple(unquote(one) for one in arguments), environment, stream)
            self.turns.put(turn)
            self.handlers[script](turn)
