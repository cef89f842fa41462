"""The SQL of a call that goes on through the network unpaid: it has a destination and a trunk, and no session."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.calls.call import CallState
from billing.calls.tables import call
from runtime.prepared import Prepared

_PASS_ON = Prepared(
    sa.update(call)
    .where(
        call.c.id == sa.bindparam("call_id"),
        call.c.state == CallState.DIALOGUE.value,
        call.c.charging_session_id.is_(None),
    )
    .values(
        state=CallState.CONNECTING.value,
        destination=sa.bindparam("to_destination"),
        trunk=sa.bindparam("by_trunk"),
    )
)


def pass_on(conn: Connection, call_id: str, destination: str, trunk: str) -> bool:
    """Note that a call in dialogue is connected without a charge; false when it is not in dialogue."""
    return _PASS_ON.run(conn, call_id=call_id, to_destination=destination, by_trunk=trunk) == 1
