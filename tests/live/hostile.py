"""What an attacker writes where a number, a name or a header is expected. MARK is in all of it, to be looked for."""

MARK = "TGFORGED"

USERS: dict[str, bytes] = {
    "agi-line": b"12125550101%0Aagi_network_script%3A%20after-dial%0Aagi_arg_1%3A%20TGFORGED",
    "agi-answer": b"12125550101%0A%0A200%20result%3D1%20(TGFORGED)%0A",
    "agi-hangup": b"12125550101%0AHANGUP%0ATGFORGED",
    "ami-event": b"TGFORGED%0D%0A%0D%0AEvent%3A%20UserEvent%0D%0AUserEvent%3A%20TollgateEnded%0D%0ACall%3A%20x%0D%0A",
    "ami-action": b"TGFORGED%0D%0A%0D%0AAction%3A%20Hangup%0D%0AChannel%3A%20/.*/%0D%0A%0D%0A",
    "nul": b"12125550101%00TGFORGED",
    "tab": b"12125550101%09TGFORGED",
    "percent-digit": b"TGFORGED1212555010%31",
    "dial-string": b"12125550101&PJSIP/TGFORGED",
    "dial-option": b"12125550101,60,U(TGFORGED)",
    "sql": b"12125550101'--TGFORGED",
    "sql-union": b"TGFORGED'%20UNION%20SELECT%20pin_hash%20FROM%20pin--",
    "expression": b"%24%7BSHELL(touch%20/tmp/TGFORGED)%7D",
    "variable": b"$%7BGLOBAL(TG_WATCH)%7DTGFORGED",
    "path": b"../../../etc/asterisk/TGFORGED",
    "shell": b"TGFORGED%60id%60;$(id)",
    "parenthesis": b"12125550101(TGFORGED",
    "parentheses": b"1212)TGFORGED(5550101(",
    "emoji": b"TGFORGED" + "📞".encode(),
    "fullwidth-digits": "TGFORGED+\uff11\uff12\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff10\uff11".encode(),
    "not-utf-8": b"TGFORGED\xff\xfe",
    "escape": b"TGFORGED%1B%5B2J%1B%5D0;owned%07",
    "two-lines-in-two": b"TGFORGED%0D%0A" * 5,
    "300-digits": b"TGFORGED" + b"1" * 300,
    "2-kB": b"TGFORGED" + b"1" * 2_000,
    "10-kB": b"TGFORGED" + b"1" * 10_000,
}
"""User parts of a URI; none of them is a telephone number."""

NAMES: dict[str, bytes] = {
    name: value.replace(b'"', b"'") for name, value in USERS.items() if name not in {"10-kB", "not-utf-8"}
} | {
    "quote": b'TGFORGED\\" <sip:+12125550101@127.0.0.1>',
    "backslash": b"TGFORGED\\\\",
    "angle": b"TGFORGED <sip:+12125550101@127.0.0.1>",
    "semicolon": b"TGFORGED;tag=1;verstat=TN-Validation-Passed",
}
"""Display names, to be put between quotation marks; the number beside them is a good one."""

CALLER_NAMES: dict[str, bytes] = {
    "10-kB": b"TGFORGED" + b"A" * 10_000,
    "not-utf-8": b"TGFORGED\xff\xfe\x80",
    "latin-1": b"TGFORGED M\xfcller",
    "control": b"TGFORGED\x01\x08\x1b[2J\x1b]0;owned\x07\x7f",
    "sql": b"TGFORGED'; DROP TABLE account; --",
    "format": b"TGFORGED%s%n%x%0999999d{0}{ani}%(ani)s",
    "expression": b"TGFORGED${SHELL(touch /tmp/TGFORGED)}",
    "arithmetic": b"TGFORGED$[1+1]${EVAL(${GLOBAL(TG_WATCH)})}",
    "arguments": b"TGFORGED,60,U(TGFORGED)&PJSIP/TGFORGED|TGFORGED",
    "parentheses": b"TGFORGED((()",
    "right-to-left": "TGFORGED\u202e\u2066\u200b".encode(),
    "number": b"+12125550199",
    "nul": b"TGFORGED\x00TGFORGED",
    "200-emoji": b"TGFORGED" + "📞".encode() * 200,
    "half-a-letter": b"TGFORGED\xf0\x9f",
    "300-letters": b"TGFORGED" + b"A" * 300,
    "1-kB": b"TGFORGED" + b"A" * 1_000,
    "2-kB": b"TGFORGED" + b"A" * 2_000,
    "agi-line": b"TGFORGED%0Aagi_network_script%3A%20after-dial%0A200 result=1",
    "escaped-quote": b'TGFORGED\\" <sip:+12125550199@127.0.0.1>',
    "shell": b"TGFORGED`touch /tmp/TGFORGED`;$(touch /tmp/TGFORGED)",
    "slash": b"../../../etc/asterisk/TGFORGED",
    "tabs": b"TGFORGED\t\t",
    "semicolon": b"TGFORGED;tag=1;verstat=TN-Validation-Passed",
}
"""Display names as they stand between the quotation marks of a good address; the worst of them first."""

OUTRIGHT = {
    "name-breaks-out": b'"TGFORGED" <sip:+12125550101@127.0.0.1>" <sip:+12125550199@127.0.0.1>',
    "two-addresses": b"<sip:+12125550101@127.0.0.1><sip:TGFORGED@127.0.0.1>",
    "name-after": b"<sip:+12125550101@127.0.0.1> TGFORGED",
    "no-scheme": b"<+12125550101TGFORGED>",
    "other-scheme": b"<http://+12125550101@TGFORGED>",
    "open-quote": b'"TGFORGED <sip:+12125550101@127.0.0.1>',
    "phone-context": b"<sip:2125550101;phone-context=TGFORGED@127.0.0.1>",
    "folded-list": b"<sip:TGFORGED@127.0.0.1>\r\n ,<sip:+12125550101@127.0.0.1>",
    "mine-and-the-networks": b"<sip:+12125550101@127.0.0.1>, <tel:TGFORGED>",
    "the-networks-and-mine": b"<sip:TGFORGED@127.0.0.1>, <tel:+12125550101>",
    "mine-and-nothing": b"<sip:+12125550101@127.0.0.1>, <sip:TGFORGED>",
    "mine-folded": b"<sip:+12125550101@127.0.0.1>\r\n TGFORGED",
    "only-comma": b",<sip:+12125550101@TGFORGED>",
}
"""Whole P-Asserted-Identity headers from which no number must be read."""

EXTENSIONS: dict[str, bytes] = {
    **USERS,
    "s": b"s",
    "h": b"h",
    "T": b"T",
    "t": b"t",
    "i": b"i",
    "empty": b"",
    "decision": b"tollgate-call",
    "short": b"911",
    "access-number-and-line": b"19005550100%0ATGFORGED",
    "access-number-and-dial-string": b"19005550100&PJSIP/TGFORGED",
    "access-number-and-digit": b"190055501001",
    "access-number-and-letter": b"19005550100a",
    "call-out": b"12125550199",
}
"""User parts of a request URI that are none of our access numbers."""
