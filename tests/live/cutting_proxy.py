"""A proxy between a switch and a gateway that cuts, stops or refuses connections as a test says."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

# What a proxy does with a piece that passes: the part to send on, and whether the connection is cut after it.
Verdict = tuple[bytes, bool]


class Passage:
    """One connection through the proxy; a subclass looks at what passes and decides."""

    def to_server(self, piece: bytes) -> Verdict:
        """From the side that connected."""
        return piece, False

    def to_client(self, piece: bytes) -> Verdict:
        """From the side it connected to."""
        return piece, False


class CuttingProxy:
    """Listens on `port` (0: any) and passes each connection to `target`: a port of loopback, or a socket's path."""

    def __init__(self, port: int, target: int | Path, passage: Callable[[], Passage] = Passage) -> None:
        self._target = target
        self._passage = passage
        self._port = port
        self._listener: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._stopped: set[socket.socket] = set()
        self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.refuse()
        self.cut()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    def listen(self) -> None:
        """Take connections (again)."""
        listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        """Take no more connections; those there are stay."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def cut(self) -> None:
        """End all connections."""
        for pair in self._pairs:
            for side in pair:
                _close(side)
        self._pairs.clear()

    def stop_passing(self) -> None:
        """Keep the present connections open and pass nothing more: the peer looks alive and says nothing."""
        for pair in self._pairs:
            self._stopped.update(pair)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = _connect(self._target)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._pairs.append((client, server))
            passage = self._passage()
            for source, sink, look in ((client, server, passage.to_server), (server, client, passage.to_client)):
                threading.Thread(target=self._pass, args=(source, sink, look), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, look: Callable[[bytes], Verdict]) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if source in self._stopped:
                    continue
                rest, is_cut = look(piece)
                sink.sendall(rest)
                if is_cut:
                    break
        if source not in self._stopped:
            _close(source)
            _close(sink)


def _connect(target: int | Path) -> socket.socket:
    if isinstance(target, int):
        return socket.create_connection(("127.0.0.1", target), 5.0)
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(5.0)
    server.connect(str(target))
    return server


def _close(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
