"""What the proofs share: the address of a database of each kind."""

import pytest


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated, empty database; once on each kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found
