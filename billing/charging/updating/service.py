"""Updates of charging sessions, many in one transaction the caller opened: read and locked at once, decided one after
another in memory, written at once (CHG-2, CHG-6).

Sessions, accounts and lines are locked in this order, each in the order of its keys, so groups side by side never wait
for each other in a ring. Nine statements at most serve any number of updates, but one more for each replay.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.engine import Connection

from ani.usage import store as usage_store
from ani.usage import usage
from billing.allowances import service as allowances
from billing.charging import store
from billing.charging.service import Other, context_of, goes_by_time, part_of, rate_of, require_rate
from billing.charging.session import (
    CALL,
    ChargeRefusal,
    Granted,
    Line,
    Request,
    Session,
    SupersededRequestError,
    UnknownSessionError,
    Update,
    as_sharer,
    next_grant,
    valid_until,
)
from billing.charging.sharing import Part, Sharer
from billing.ledger import store as ledger_store
from billing.ledger.transfer import ChangedReplayError, Funds
from billing.rating import Context, Grant, Rate
from runtime.frozen import maker
from runtime.prepared_rows import sent_together

_REQUEST_OF, _GRANTED_OF, _PART_OF = maker(Request), maker(Granted), maker(Part)


@dataclass(frozen=True, slots=True)
class Updated:
    """The answer to an update, or what is to be raised to who asked; and the session right after it."""

    answer: Granted | ChargeRefusal | UnknownSessionError | ChangedReplayError
    session: Session | None

    def granted(self) -> Granted | ChargeRefusal:
        """The answer, or its exception raised."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass(frozen=True, slots=True)
class Locked:
    """What is locked already of accounts, and of lines in a month: milliseconds used and held."""

    funds: Mapping[int, Funds] = field(default_factory=dict)
    line_ms: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


NOTHING_LOCKED = Locked()


_UPDATED_OF = maker(Updated)


class KnownRates:
    """The rates sessions were opened with, each read once."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._found: dict[tuple[int, str, str], Rate] = {}

    def of(self, session: Session) -> Rate:
        """The rate of this one."""
        key = (session.tariff_version_id, session.rate_prefix, session.sold_as)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = rate_of(self._conn, session)
        return found


def update(
    conn: Connection,
    now: datetime,
    session_id: str,
    request_number: int,
    wanted_ms: int,
    rate: Rate,
    line: Line | None = None,
    used_ms: int | None = None,
) -> Granted | ChargeRefusal:
    """One update alone."""
    asked = Update(session_id, request_number, wanted_ms, rate, now, line, used_ms)
    return update_many(conn, store.lock_sessions(conn, [session_id]), [asked])[0].granted()


def update_many(
    conn: Connection,
    sessions: Mapping[str, Session],
    asked: Sequence[Update],
    rates: KnownRates | None = None,
    locked: Locked = NOTHING_LOCKED,
) -> list[Updated]:
    """Hold more for open sessions, so that what is wanted in all may be used; each as if it came after those before it.

    `sessions` are those there are, as `lock_sessions` gives them; what is not `locked` yet is locked here. A grant is a
    total and never shrinks. What is not to be had is not refused: the answer is then the grant there is, final. A
    request number is answered once; again it gets the same answer, and ChangedReplayError when it wants something else,
    tells another use (but of a call) or comes too late. What was used lets sessions that share an account end together;
    it is never charged.
    """
    desk = _Desk(conn, sessions, asked, rates or KnownRates(conn), locked)
    answers = [desk.answered(ask) for ask in asked]
    desk.write()
    return answers


class _Desk:
    """What the updates are decided on, all of it locked: read once, changed in memory, written once."""

    def __init__(
        self,
        conn: Connection,
        sessions: Mapping[str, Session],
        asked: Sequence[Update],
        rates: KnownRates,
        locked: Locked,
    ) -> None:
        self._conn = conn
        self._sessions = dict(sessions)
        self._changed: dict[str, Session] = {}
        self._answered: dict[tuple[str, int], Request] = {}
        self._moved_micros: dict[int, int] = {}
        self._more_ms: dict[tuple[str, str], int] = {}
        self._rates = rates
        fresh = [ask for ask in asked if self._is_fresh(ask)]
        mine = [self._sessions[ask.session_id] for ask in fresh]
        self._funds = dict(locked.funds)
        accounts = {one.account_id for one in mine} - self._funds.keys()
        if accounts:
            self._funds.update(ledger_store.lock_many_funds(conn, accounts))
        self._open = self._shared(mine)
        self._line_ms = dict(locked.line_ms)
        lines = {
            (ask.line.ani, ask.line.month)
            for ask, one in zip(fresh, mine, strict=True)
            if ask.line is not None and ask.wanted_ms > one.granted_ms
        } - self._line_ms.keys()
        if lines:
            self._line_ms.update(usage_store.lock_lines(conn, lines))

    def answered(self, ask: Update) -> Updated:
        """Decide one."""
        try:
            answer = self._answer(ask)
        except (UnknownSessionError, ChangedReplayError) as error:
            return Updated(error, self._sessions.get(ask.session_id))
        return _UPDATED_OF((answer, self._sessions.get(ask.session_id)))

    def write(self) -> None:
        """What was decided."""
        if not self._answered:
            return
        with sent_together(self._conn):
            store.extend_sessions(self._conn, self._changed.values())
            store.add_requests(self._conn, list(self._answered.values()))
            ledger_store.move_holds(self._conn, self._moved_micros)
            usage_store.hold_many(self._conn, self._more_ms)

    def _is_fresh(self, ask: Update) -> bool:
        session = self._sessions.get(ask.session_id)
        return session is not None and session.is_open and ask.request_number > session.request_number

    def _shared(self, mine: Iterable[Session]) -> dict[int, list[Session]]:
        """The open sessions of the accounts that several use: somebody else holds something too, or asks here too."""
        users: dict[int, set[str]] = {}
        for one in mine:
            users.setdefault(one.account_id, set()).add(one.session_id)
        shared = {account_id for account_id, ids in users.items() if len(ids) > 1}
        shared |= {one.account_id for one in mine if self._funds[one.account_id].held_micros > one.held_micros}
        found: dict[int, list[Session]] = {account_id: [] for account_id in shared}
        for one in store.open_sessions(self._conn, shared) if shared else ():
            found[one.account_id].append(one)
        return found

    def _answer(self, ask: Update) -> Granted | ChargeRefusal:
        session = self._sessions.get(ask.session_id)
        if session is None:
            raise UnknownSessionError(f"charging session {ask.session_id}")
        if ask.request_number <= session.request_number:
            return self._replayed(ask)
        if not session.is_open:
            return ChargeRefusal.SESSION_ENDED
        require_rate(session, ask.rate)
        funds = self._funds[session.account_id]
        moved_micros = self._moved_micros.get(session.account_id)
        if moved_micros:
            funds = replace(funds, held_micros=funds.held_micros + moved_micros)
        grant, limit = session.grant, None
        if ask.wanted_ms > session.granted_ms:
            grant, limit = self._more(ask, session, funds)
        self._keep(ask, session, grant)
        return _GRANTED_OF((grant, False, funds.revision, False, limit))

    def _replayed(self, ask: Update) -> Granted:
        number, session_id = ask.request_number, ask.session_id
        request = self._answered.get((session_id, number)) or store.find_request(self._conn, session_id, number)
        if request is None:
            raise SupersededRequestError(f"request {number} of charging session {session_id} came too late")
        if request.kind != "update" or request.wanted_ms != ask.wanted_ms:
            raise ChangedReplayError(f"request {number} of charging session {session_id} was another one")
        if request.used_ms is not None and request.used_ms != ask.used_ms:
            raise ChangedReplayError(f"request {number} of charging session {session_id} told another use")
        return Granted(request.grant, is_replay=True)

    def _more(self, ask: Update, session: Session, funds: Funds) -> tuple[Grant, ChargeRefusal | None]:
        """A larger grant for a session that says what it used, as far as funds, sharers, cap and line reach.

        With the month, where it would reach farther but for that of the line.
        """
        rate = ask.rate
        context = allowances.for_more(
            self._conn,
            ask.at,
            session.account_id,
            session.session_id,
            session.started_at,
            session.context,
            rate,
            session.granted_ms,
        )
        if context.rings_ms:
            context = context.begun(ask.began_at or session.heard(ask.used_ms, ask.at).began_at)
        part = self._part(ask, session, funds, context)
        grant, limit = next_grant(session, rate, part, session.cap_ms, context), None
        if ask.line is not None:
            left_ms = self._left_ms(ask.line)
            if grant.granted_ms - session.granted_ms > left_ms:
                grant = next_grant(session, rate, part, session.granted_ms + left_ms, context)
                limit = ChargeRefusal.MONTH_CAP
            self._hold_line(ask.line, grant.granted_ms - session.granted_ms)
        if grant.granted_ms > session.granted_ms:
            allowances.hold(self._conn, session.session_id, rate, grant.granted_ms, context)
        return grant, limit

    def _part(self, ask: Update, session: Session, funds: Funds, context: Context) -> Part:
        """What it may have of the account; nobody is looked for where nobody else holds anything."""
        if funds.held_micros <= session.held_micros:
            return _PART_OF((funds.available_micros if funds.is_open else 0, ask.wanted_ms, True))
        told = session.heard(ask.used_ms, ask.at)
        mine = as_sharer(told, ask.rate, context, ask.at, by_time=goes_by_time(ask.rate))
        if mine is None:
            granted_ms = session.granted_ms
            mine = Sharer(ask.rate, context, granted_ms, granted_ms, session.held_micros, session.cap_ms)
        return part_of(funds, mine, ask.wanted_ms, ask.at, self._others(session))

    def _left_ms(self, line: Line) -> int:
        return usage.left_ms(line.cap_ms, *self._line_ms[line.ani, line.month])

    def _hold_line(self, line: Line, more_ms: int) -> None:
        if more_ms > 0:
            key = (line.ani, line.month)
            used_ms, held_ms = self._line_ms[key]
            self._line_ms[key] = (used_ms, held_ms + more_ms)
            self._more_ms[key] = self._more_ms.get(key, 0) + more_ms

    def _others(self, session: Session) -> Iterator[Other]:
        for one in self._open.get(session.account_id, ()):
            if one.session_id != session.session_id:
                other = self._sessions.get(one.session_id, one)
                yield other, self._rates.of(other), context_of(self._conn, other)

    def _keep(self, ask: Update, session: Session, grant: Grant) -> None:
        """The session, its account and its request as they are from now on."""
        more_micros = grant.held_micros - session.held_micros
        until_at = valid_until(session, grant.granted_ms, ask.at, ask.used_ms, by_time=goes_by_time(ask.rate))
        after = session.extended(ask.request_number, grant, until_at, ask.used_ms, ask.at)
        self._sessions[ask.session_id] = self._changed[ask.session_id] = after
        number, session_id = ask.request_number, ask.session_id
        granted_ms, held_micros, final = grant.granted_ms, grant.held_micros, grant.final
        # A call's gateway repeats a request with what was used since.
        used_ms = None if session.service == CALL else ask.used_ms
        self._answered[session_id, number] = _REQUEST_OF(
            (session_id, number, "update", ask.wanted_ms, granted_ms, held_micros, final, ask.at, used_ms)
        )
        if more_micros:
            account_id = session.account_id
            self._moved_micros[account_id] = self._moved_micros.get(account_id, 0) + more_micros
