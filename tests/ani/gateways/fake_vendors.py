"""Vendors that speak the real wire formats over real connections, and can be slow, wrong or down."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Listed = dict[str, tuple[str, str]]


@dataclass
class FakeVendor:
    """What it knows, how it behaves, and what it was asked."""

    people: Listed = field(default_factory=dict)
    ssn: dict[str, str] = field(default_factory=dict)
    born: dict[str, str] = field(default_factory=dict)
    score: dict[str, int] = field(default_factory=dict)
    mode: str = "well"
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    failures_left: int = 0
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(vendor: FakeVendor) -> Iterator[FakeVendor]:
    """Serve it on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            vendor.asked.append(self.path)
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            vendor.bodies.append(self.body.decode())
            vendor.headers.append({name.lower(): value for name, value in self.headers.items()})
            if vendor.failures_left > 0:
                vendor.failures_left -= 1
                self._send(503, b"{}")
            elif vendor.mode == "slow":
                vendor.released.wait(10)
                self.close_connection = True
            elif vendor.mode == "dripping":
                self._drip()
            elif vendor.mode == "garbage":
                self._send(200, b"<html>busy</html>")
            elif vendor.mode == "endless":
                self._send(200, b'{"x": "' + b"x" * 200_000 + b'"}')
            elif vendor.mode == "down":
                self._send(503, b"{}")
            elif vendor.mode == "key-refused":
                self._send(401, json.dumps({"code": 20003, "message": "Authenticate", "status": 401}).encode())
            else:
                self._answer()

        def _drip(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            try:
                while not vendor.released.wait(0.1):
                    self.wfile.write(b" ")
            except OSError:
                pass
            self.close_connection = True

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            query |= json.loads(self.body) if self.body else {}
            if parts.path.startswith("/v2/PhoneNumbers/"):
                self._twilio(parts.path.rpartition("/")[2].replace("%2B", "+"), query)
            else:
                self._json(query)

        def _twilio(self, ani: str, query: dict[str, str]) -> None:
            found = vendor.people.get(ani)
            fields = query.get("Fields", "").split(",")
            document: dict[str, Any] = dict.fromkeys(
                (
                    "caller_name",
                    "sim_swap",
                    "call_forwarding",
                    "line_status",
                    "line_type_intelligence",
                    "identity_match",
                    "reassigned_number",
                    "sms_pumping_risk",
                    "phone_number_quality_score",
                    "pre_fill",
                )
            )
            document |= {
                "calling_country_code": "1",
                "country_code": "US",
                "phone_number": ani,
                "national_format": ani,
                "valid": True,
                "validation_errors": [],
                "url": f"https://lookups.twilio.com/v2/PhoneNumbers/{ani}",
            }
            if "caller_name" in fields:
                name = f"{found[1]}, {found[0]}".upper() if found else None
                document["caller_name"] = {"caller_name": name, "caller_type": "CONSUMER", "error_code": None}
            if "line_type_intelligence" in fields:
                document["line_type_intelligence"] = {"type": "mobile", "carrier_name": "Acme", "error_code": None}
            if "identity_match" in fields:
                document["identity_match"] = self._identity(ani, query)
            self._send(200, json.dumps(document).encode())

        def _identity(self, ani: str, query: dict[str, str]) -> dict[str, Any]:
            def match(asked: str | None, known: str | None) -> str | None:
                if asked is None:
                    return None
                if known is None:
                    return "no_data_available"
                return "exact_match" if asked == known else "no_match"

            ssn, born = vendor.ssn.get(ani), vendor.born.get(ani)
            asked_id = query.get("NationalId")
            return {
                "first_name_match": None,
                "last_name_match": None,
                "national_id_match": match(asked_id, ssn[-len(asked_id) :] if ssn and asked_id else ssn),
                "date_of_birth_match": match(query.get("DateOfBirth"), born.replace("-", "") if born else None),
                "summary_score": 100,
                "error_code": None,
            }

        def _json(self, query: dict[str, str]) -> None:
            ani = query["phone"]
            found = vendor.people.get(ani)
            ssn = vendor.ssn.get(ani)
            if found is None and ssn is None and ani not in vendor.score:
                self._send(404, b'{"error": "unknown"}')
                return
            keyed = query.get("ssn", "")
            born = query.get("born", "")
            known = vendor.born.get(ani)
            document = {
                "people": [{"given": found[0], "family": found[1]}] if found else [],
                "match": (bool(keyed) and ssn is not None and ssn.endswith(keyed)) or (bool(born) and born == known),
                "born": known,
                "score": vendor.score.get(ani),
            }
            self._send(200, json.dumps(document).encode())

        def _send(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield vendor
    finally:
        vendor.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
