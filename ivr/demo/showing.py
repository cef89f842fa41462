"""The events of the switch and the records of the database, brought together for the view."""

from dataclasses import dataclass

from ivr.demo.books import Books, Standing
from ivr.demo.view import View
from ivr.demo.watch import Message, Scene, Watch
from runtime.clock import Clock

LOOK_EVERY_S = 0.25


@dataclass(slots=True)
class Showing:
    """All calls that are up, until each is over and settled."""

    watch: Watch
    books: Books
    view: View
    clock: Clock
    newest: tuple[Scene, Standing | None] | None = None
    _looked_s: float = 0.0

    def see(self, message: Message | None) -> None:
        """Show what an event tells, and what the records say: then, and every quarter of a second. None is no event."""
        lines = self.watch.see(message) if message is not None else []
        now_s = self.clock.monotonic_s()
        if lines or now_s >= self._looked_s + LOOK_EVERY_S:
            self._looked_s = now_s
            # the gateway writes before it lets the switch act, so its records are told first
            calls = [(scene, self.books.look(scene)) for scene in self.watch.scenes.values()]
            for _, standing in calls:
                for line in self.books.news(standing) if standing else ():
                    self.view.tell(line)
            for line in lines:
                self.view.tell(line)
            self.view.show(calls, self.clock.now())
            for scene, standing in calls:
                self.newest = (scene, standing)
                if scene.gone and standing is not None and standing.kept.cdr is not None:
                    del self.watch.scenes[scene.uniqueid]
