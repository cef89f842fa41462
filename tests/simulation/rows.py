"""The rows of the simulated tariff's versions, as a tariff file has them.

Its windows change every few minutes around the end of a month, in three time zones, so that calls run over them.
"""

EMPTY = {"destination": "", "price_per_minute": "", "connect_fee": "", "minimum_s": "", "increments": "", "blocked": ""}

_ROME = "; ".join(
    f"daily {hour:02d}:{minute:02d}-{hour:02d}:{minute + 4:02d} {price}"
    for hour in range(6)
    for minute, price in ((1, "50%"), (6, "0.90"), (13, "0.25"), (19, "150%"), (27, "0.90"), (38, "50%"), (51, "1.10"))
)
_REYKJAVIK = (
    "holiday 00:00-00:04 0.20; holiday 00:04-03:00 80%; tu 23:54-00:07 1.20; tu 20:00-23:52 50%; daily 23:00-02:00 0.35"
)
_KOLKATA = "we 05:21-05:25 0.10; tu,we 05:28-05:33 2.00; th 00:00-23:00 25%; daily 04:00-06:30 60%"

VERSIONS: tuple[tuple[dict[str, str], ...], ...] = (
    (
        {"prefix": "33", "price_per_minute": "1.00", "increments": "60/60"},
        {"prefix": "44", "price_per_minute": "0.53", "connect_fee": "0.10", "minimum_s": "30", "increments": "30/6"},
        {"prefix": "49", "price_per_minute": "0.333333", "increments": "1/1"},
        {
            "prefix": "39",
            "price_per_minute": "0.60",
            "connect_fee": "0.04",
            "disconnect_fee": "0.03",
            "time_zone": "Europe/Rome",
            "bands": _ROME,
        },
        {
            "prefix": "34",
            "price_per_minute": "0.80",
            "increments": "10/5",
            "steps": "20 0.50 fee=0.02; 60 50% fee=0.05; 100 0.70",
            "timed_fees": "15 0.01; 90 0.03",
            "maximum_charge": "1.10",
            "rounding": "up x0.005",
        },
        {
            "prefix": "354",
            "price_per_minute": "0.70",
            "increments": "30/15",
            "minimum_charge": "0.06",
            "time_zone": "Atlantic/Reykjavik",
            "holidays": "04-01",
            "bands": _REYKJAVIK,
            "band_rule": "increment",
            "rounding": "half-up 3",
        },
        {
            "prefix": "41",
            "price_per_minute": "0.90",
            "increments": "6/6",
            "tiers": "120 0.60; 420 50%",
            "markup": "12.5%",
        },
        {
            "prefix": "43",
            "price_per_minute": "0.90",
            "increments": "60/30",
            "tiers": "150 120%; 600 50%",
            "volume_rule": "top",
        },
        {"prefix": "47", "price_per_minute": "0.37", "increments": "7/7", "rounding": "half-even 2 total"},
        {"prefix": "1", "service": "airtime", "price_per_minute": "0.37", "increments": "10/10"},
        {
            "prefix": "1646",
            "service": "airtime",
            "price_per_minute": "0.40",
            "increments": "20/10",
            "time_zone": "Asia/Kolkata",
            "bands": _KOLKATA,
            "band_rule": "start",
            "steps": "45 90% fee=0.01",
        },
        {"prefix": "net", "service": "data", "price": "0.05", "per": "MB", "increments": "1000"},
        {
            "prefix": "video",
            "service": "data",
            "price": "0.08",
            "per": "MB",
            "increments": "4096",
            "steps": "3000000 75%",
            "tiers": "8000000 0.05; 30000000 40%",
            "rounding": "half-even 4",
        },
        {"prefix": "sms", "service": "message", "price": "0.10", "per": "unit"},
        {"prefix": "mms", "service": "message", "price": "0.21", "per": "2 messages", "disconnect_fee": "0.02"},
        {
            "prefix": "token",
            "service": "unit",
            "price": "0.33",
            "per": "7 tokens",
            "increments": "10/3",
            "tiers": "50 0.20; 400 0.10",
            "maximum_charge": "0.75",
        },
        {"prefix": "song", "service": "content", "price": "1.50", "per": "transaction"},
    ),
    (
        {"prefix": "33", "price_per_minute": "1.30", "increments": "60/30"},
        {"prefix": "44", "price_per_minute": "0.47", "connect_fee": "0.05", "minimum_s": "20", "increments": "20/10"},
        {"prefix": "49", "price_per_minute": "0.71", "increments": "1/1"},
        {
            "prefix": "39",
            "price_per_minute": "0.55",
            "increments": "1/1",
            "steps": "40 120%; 90 0.30 fee=0.04",
            "time_zone": "Europe/Rome",
            "bands": _ROME,
            "rounding": "half-even 4",
        },
        {
            "prefix": "34",
            "price_per_minute": "0.75",
            "increments": "5/5",
            "steps": "25 0.60 fee=0.03",
            "disconnect_fee": "0.01",
            "maximum_charge": "0.90",
        },
        {
            "prefix": "354",
            "price_per_minute": "0.66",
            "connect_fee": "0.02",
            "increments": "20/20",
            "time_zone": "Atlantic/Reykjavik",
            "holidays": "04-01",
            "bands": _REYKJAVIK,
            "rounding": "down 4",
        },
        {"prefix": "41", "price_per_minute": "0.80", "increments": "10/10", "tiers": "200 1.10; 300 75%"},
        {
            "prefix": "43",
            "price_per_minute": "0.85",
            "increments": "60/60",
            "tiers": "200 80%; 500 0.40",
            "volume_rule": "top",
        },
        {"prefix": "47", "price_per_minute": "0.41", "increments": "1/1", "rounding": "half-up 2 total"},
        {"prefix": "1", "service": "airtime", "price_per_minute": "0.29", "increments": "30/10"},
        {
            "prefix": "1646",
            "service": "airtime",
            "price_per_minute": "0.44",
            "increments": "15/15",
            "time_zone": "Asia/Kolkata",
            "bands": _KOLKATA,
            "tiers": "300 0.30; 900 0.20",
        },
        {"prefix": "net", "service": "data", "price": "0.03", "per": "MB", "increments": "4096"},
        {
            "prefix": "video",
            "service": "data",
            "price": "0.07",
            "per": "MB",
            "connect_fee": "0.01",
            "tiers": "10000000 60%",
            "rounding": "up x0.0005",
        },
        {"prefix": "sms", "service": "message", "price": "0.11", "per": "unit"},
        {"prefix": "mms", "service": "message", "price": "0.25", "per": "2 messages"},
        {"prefix": "token", "service": "unit", "price": "0.04", "per": "token", "increments": "5", "steps": "20 0.02"},
        {"prefix": "song", "service": "content", "price": "1.75", "per": "transaction"},
    ),
)

ZONES_S = {"Europe/Rome": 7_200, "Atlantic/Reykjavik": 0, "Asia/Kolkata": 19_800}
"""How far the clocks of these zones are from UTC on the days the simulation is about: none is moved then."""
