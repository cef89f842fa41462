"""The demonstration on a terminal: lines of what happens, and below them, on a real terminal, the call as it stands.

Without a terminal there are only the lines, and every few seconds one with the money.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from billing.money import format_amount
from ivr.demo.books import Standing
from ivr.demo.watch import Line, Scene, Who
from runtime.clock import Clock

COLOURS = {Who.CALLER: "green", Who.GATEWAY: "cyan", Who.NETWORK: "blue", Who.MONEY: "yellow"}
METER_LINE_EVERY_S = 5
REFRESH_PER_S = 10


class View:
    """Where everything is shown; on standard error, so that what a command answers can go elsewhere."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self.console = console
        self._clock = clock
        self._start_s = clock.monotonic_s()
        self._live: Live | None = None
        self._metered_s: dict[str, int] = {}

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A step that takes its time: shown while it lasts, and with its seconds when it is done."""
        begun_s = self._clock.monotonic_s()
        if self.console.is_terminal:
            with self.console.status(f"{what} …"):
                yield
        else:
            self._print(f"[dim]{self._stamp()}[/]   {what} …")
            yield
        seconds = self._clock.monotonic_s() - begun_s
        self._print(f"[dim]{self._stamp()}[/] [green]✓[/] {what} [dim]{seconds:.1f} s[/]")

    @contextmanager
    def call(self) -> Iterator[None]:
        """While a call is looked at."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, refresh_per_second=REFRESH_PER_S, transient=True) as self._live:
            yield
        self._live = None

    def tell(self, line: Line) -> None:
        """One thing that happened."""
        row = Table.grid(padding=(0, 1))
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True, min_width=7)
        row.add_column(overflow="fold")
        colour = COLOURS[line.who]
        row.add_row(Text(self._stamp(), "dim"), Text(line.who, colour), Text(line.text))
        self.console.print(row)

    def say(self, text: str, style: str = "") -> None:
        """A line of the demonstration itself."""
        self.console.print(Text(text, style), soft_wrap=True)

    def show(self, calls: Sequence[tuple[Scene, Standing | None]], now: datetime) -> None:
        """The calls as they stand now."""
        if self._live is not None:
            self._live.update(Group(*(_panel(scene, standing, scene.used_ms(now)) for scene, standing in calls)))
            return
        for scene, standing in calls:
            self._tell_meter(scene, standing, scene.used_ms(now))

    def _tell_meter(self, scene: Scene, standing: Standing | None, used_ms: int) -> None:
        second = used_ms // 1000
        due = second >= self._metered_s.get(scene.uniqueid, 0) + METER_LINE_EVERY_S
        if standing is not None and due and scene.ended_at is None:
            self._metered_s[scene.uniqueid] = second - second % METER_LINE_EVERY_S
            self.tell(Line(Who.MONEY, f"talked {second} s, {_left(standing, used_ms)} left"))

    def _print(self, markup: str) -> None:
        self.console.print(markup, highlight=False, soft_wrap=True)

    def _stamp(self) -> str:
        return f"{self._clock.monotonic_s() - self._start_s:6.1f}"


def _panel(scene: Scene, standing: Standing | None, used_ms: int) -> Panel:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", min_width=8)
    rows.add_column()
    call = standing.kept.call if standing else None
    name = f"  {standing.subscriber}" if standing and standing.subscriber else ""
    rows.add_row("from", Text((call.ani or "no number asserted" if call else "…") + name))
    rows.add_row("dialled", scene.dialled)
    rows.add_row("account", standing.account.number if standing and standing.account else "")
    rows.add_row("step", Text(scene.step, "bold cyan"))
    rows.add_row("hears", Text(scene.hears, "italic"))
    rows.add_row("keys", Text(scene.keys, "green"))
    granted_ms = standing.kept.session.granted_ms if standing and standing.kept.session else 0
    if granted_ms:
        bar = ProgressBar(total=granted_ms, completed=min(used_ms, granted_ms), width=40)
        talked = Text(f"{used_ms / 1000:5.1f} s of {granted_ms / 1000:.3f} s granted")
        rows.add_row("talked", Group(talked, bar))
    if standing is not None and standing.account is not None:
        held = format_amount(standing.account.held_micros, standing.account.currency)
        money = Text(f"{_left(standing, used_ms)} left", "bold yellow")
        rows.add_row("money", money + Text(f"   ({held} held)", "dim"))
    return Panel(rows, title="the call now", title_align="left", border_style="cyan", width=76)


def _left(standing: Standing, used_ms: int) -> str:
    account = standing.account
    return format_amount(standing.left_micros(used_ms), account.currency) if account else "?"
