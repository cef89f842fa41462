"""How often somebody may ask: a bucket of tokens for each, filled at an even pace, pure."""

import math
from collections import OrderedDict
from dataclasses import dataclass

MOST_KEPT = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Buckets:
    """A bucket for each name, `burst` deep, filled with `per_s` tokens a second; the least used are forgotten."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, name: str, now_s: float) -> int:
        """Take a token: 0 when there was one, else the whole seconds until there is."""
        bucket = self._filled(name, now_s)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0
        return max(1, math.ceil((1 - bucket.tokens) / self._per_s))

    def is_empty(self, name: str, now_s: float) -> bool:
        """Whether there is no token; takes none."""
        return self._filled(name, now_s).tokens < 1

    def _filled(self, name: str, now_s: float) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self._burst, now_s)
            if len(self._buckets) > MOST_KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        bucket.tokens = min(self._burst, bucket.tokens + max(0.0, now_s - bucket.at_s) * self._per_s)
        bucket.at_s = now_s
        return bucket
