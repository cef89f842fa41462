"""Where and how a vendor may be asked: only over TLS, and never with personal digits in an address. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping
from string import Formatter
from urllib.parse import urlsplit

LINE_WORDS = frozenset({"ani", "digits"})
PERSON_WORDS = LINE_WORDS | {"national_id", "birth_on", "first_name", "last_name", "postal_code"}
NEEDED_OF_PERSON = ("national_id", "birth_on")


def require_private(url: str) -> str:
    """The address, if what is sent there can be read by nobody on the way; raises ValueError.

    That is https, or the machine itself. Of words, which addresses write into the logs of whoever serves them, it may
    hold those of the line.
    """
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("not an https:// address")
    if not parts.hostname:
        raise ValueError("an address without a host")
    require_words([url], LINE_WORDS)
    return url


def require_words(texts: Iterable[str], known: frozenset[str]) -> None:
    """Raise ValueError where a text has words in braces that are not known."""
    unknown = {word for text in texts for word in words_of(text)} - known
    if unknown:
        raise ValueError(f"only {', '.join(f'{{{word}}}' for word in sorted(known))} may stand in braces here")


def require_person_words(body: Mapping[str, str]) -> None:
    """Raise ValueError unless a question about a person sends all that is claimed of him."""
    require_words(body.values(), PERSON_WORDS)
    sent = {word for text in body.values() for word in words_of(text)}
    for word in NEEDED_OF_PERSON:
        if word not in sent:
            raise ValueError(f"{{{word}}} is not sent")


def words_of(text: str) -> set[str]:
    """The words in braces."""
    return {word for _, word, _, _ in Formatter().parse(text) if word is not None}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
