"""What the proofs share: the address of a database of each kind."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import Engine

from runtime import database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated, empty database; once on each kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def witness_engine(url: str) -> Iterator[Engine]:
    """What is looked through while processes work on the database."""
    made = database.create_engine(url, busy_timeout_s=60.0)
    yield made
    made.dispose()
