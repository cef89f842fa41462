"""What clients send: the lives of sessions, sales and payments, drawn by lot, each request in two versions."""

import random

from tests.proof.counter import Kind, Order

Step = tuple[Order, Order]
"""Two requests that are sent at one moment, or one after the other: a repetition, or one that excludes the other."""


def steps_of(life: int) -> list[Step]:
    """What both threads send in one race, step by step; the same for both, and for every run."""
    dice = random.Random(life)
    key = f"{life:028x}"
    kind = dice.randrange(10)
    if kind < 2:
        paid = Order(Kind.CREDIT, key, dice.randint(1, 40) * 50_000)
        return [(paid, paid)]
    if kind == 2:
        sale = Order(Kind.DEBIT, key, dice.randint(1, 5), "message")
        whole = Order(Kind.REFUND, key, 0, "message", 1)
        rival = Order(Kind.REFUND, key, 0, "message", dice.randint(1, 2))
        return [(sale, sale), (whole, rival)]
    service = dice.choice(("voice", "voice", "data"))
    scale = 1 if service == "voice" else 1_000_000
    wanted, used = dice.randint(5, 60) * scale, 0
    opened = Order(Kind.OPEN, key, wanted, service)
    steps: list[Step] = [(opened, opened)]
    for number in range(1, dice.randint(1, 3)):
        used += dice.randint(0, 20) * scale
        more = Order(Kind.EXTEND, key, wanted + number * 20 * scale, service, number, used)
        late = Order(Kind.EXTEND, key, wanted + 20 * scale, service, 1, used) if kind == 3 else more
        steps.append((more, late))
    used += dice.randint(0, 20) * scale
    end = Order(Kind.END, key, used, service)
    rivals = {
        4: Order(Kind.END, key, used + scale, service),
        5: Order(Kind.EXTEND, key, wanted + 90 * scale, service, 9, used),
    }
    steps.append((end, rivals.get(kind, end)))
    return steps
