"""Setting the terms of a service, and keeping who agreed (AGE-6)."""

from sqlalchemy.engine import Engine

from billing.agreements import store
from billing.agreements.agreement import Agreement, Terms, normal_text, text_sha256
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import StaffError
from sounds.manifest import load_manifest


def set_terms(engine: Engine, clock: Clock, profile_id: int, *, text: str, prompt: str, made_by: str) -> Terms:
    """Ask for these terms from the next call on. A wording and prompt that were asked for before keep their version.

    Raises StaffError for an empty or too long text and for a prompt that does not exist.
    """
    plain = normal_text(text)
    if not plain:
        raise StaffError("text: 1 to 4000 printable characters")
    if prompt not in load_manifest().ids:
        raise StaffError(f"prompt: there is no {prompt} in the manifest of prompts")
    with transaction(engine) as conn:
        known = store.versions(conn, profile_id)
        digest = text_sha256(plain)
        same = next((one for one in known if one.text_sha256 == digest and one.prompt == prompt), None)
        version = known[-1].version + 1 if known else 1
        terms = same or Terms(profile_id, version, plain, digest, prompt, made_by, clock.now())
        if same is None:
            store.insert_terms(conn, terms)
        store.ask_for(conn, profile_id, terms.version)
        return terms


def ask_nothing(engine: Engine, profile_id: int) -> None:
    """Ask for no agreement from the next call on; the versions stay."""
    with transaction(engine) as conn:
        store.ask_for(conn, profile_id, 0)


def versions(engine: Engine, profile_id: int) -> list[Terms]:
    """Every version of a service's terms, the oldest first."""
    with reading(engine) as conn:
        return store.versions(conn, profile_id)


def terms_of(engine: Engine, profile_id: int, version: int) -> Terms | None:
    """One version."""
    with reading(engine) as conn:
        return store.terms_of(conn, profile_id, version)


def agree(engine: Engine, clock: Clock, call_id: str, terms: Terms) -> None:
    """Keep with the call that its caller agreed to these terms."""
    with transaction(engine) as conn:
        store.agree(conn, call_id, terms, clock.now())


def agreement_of(engine: Engine, call_id: str) -> Agreement | None:
    """What the caller of this call agreed to; none where he was not asked or did not."""
    with reading(engine) as conn:
        return store.agreement_of(conn, call_id)
