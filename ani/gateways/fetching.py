"""One HTTP request that ends within its deadline, whatever the other side does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx2

from ani.gateways.bounded import BoundedTransport, Deadline
from ani.vendor.vendor import VendorError, VendorOutcome

LARGEST_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. Its parts may hold what a caller keyed, so they are never shown."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    document: object = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    body: bytes = field(repr=False)


class Fetcher:
    """Keeps connections open between requests; any number of threads may use one."""

    def __init__(self, now_s: Callable[[], float], most_connections: int = 32) -> None:
        self._deadline = Deadline(now_s)
        transport = BoundedTransport(self._deadline, most_connections)
        self._client = httpx2.Client(transport=transport, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def fetch(self, request: Request, deadline_s: float) -> Answer:
        """Send it once and read the answer, at most 64 KiB of it; raises VendorError.

        The deadline is that of connecting, headers and body together; only resolving the vendor's name may take longer.
        """
        try:
            with (
                self._deadline.within(deadline_s),
                self._client.stream(
                    request.method,
                    request.url,
                    params=dict(request.query) or None,
                    data=dict(request.form) if request.form is not None else None,
                    json=request.document,
                    headers=dict(request.headers),
                    auth=request.login,
                    timeout=httpx2.Timeout(deadline_s),
                ) as response,
            ):
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > LARGEST_ANSWER_BYTES:
                        raise VendorError(VendorOutcome.UNREADABLE, "the answer is too long")
                return Answer(response.status_code, body)
        except httpx2.TimeoutException as error:
            raise VendorError(VendorOutcome.TIMED_OUT, type(error).__name__) from None
        except httpx2.HTTPError as error:
            # Its text may hold the address asked, and with it a line or what a caller keyed.
            raise VendorError(VendorOutcome.UNREACHABLE, type(error).__name__) from None


def check_status(answer: Answer) -> None:
    """Raise VendorError unless the vendor says that it answers (2xx)."""
    if 200 <= answer.status < 300:
        return
    is_ours = 400 <= answer.status < 500 and answer.status not in {408, 429}
    raise VendorError(VendorOutcome.REFUSED if is_ours else VendorOutcome.UNREACHABLE, f"status {answer.status}")
