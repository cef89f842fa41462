"""Which operator a credit tier is of, and by what score.

Tiers that stand already were shared by all operators. Each now belongs to the operator of the line's account; where the
line has none, to the only operator there is. Where that leaves several, or none, it belongs to nobody: it stays in
the line's history and binds no call, as a cache that is filled anew by the next rating, or by staff.

Revision: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_OF_THE_LINES_ACCOUNT = """
    UPDATE line_tier SET operator_id = (
        SELECT CASE WHEN COUNT(DISTINCT account.operator_id) = 1 THEN MIN(account.operator_id) END
        FROM account_line JOIN account ON account.id = account_line.account_id
        WHERE account_line.ani = line_tier.ani AND account_line.removed_at IS NULL
    )
"""
_OF_THE_ONLY_OPERATOR = """
    UPDATE line_tier SET operator_id = (SELECT CASE WHEN COUNT(*) = 1 THEN MIN(id) END FROM "operator")
    WHERE operator_id IS NULL
"""


def upgrade() -> None:
    """Make room for it, and say whose the tiers are that stand already; by what score they were found nobody knows."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("line_tier", sa.Column("operator_id", row_id, nullable=True))
    op.add_column("line_tier", sa.Column("score", sa.Integer(), nullable=True))
    op.add_column("line_tier", sa.Column("scored_at", sa.BigInteger(), nullable=True))
    op.execute(_OF_THE_LINES_ACCOUNT)
    op.execute(_OF_THE_ONLY_OPERATOR)


def downgrade() -> None:
    """Take it away: the program before this shares every tier."""
    for column in ("scored_at", "score", "operator_id"):
        op.drop_column("line_tier", column)
