"""How often a process that serves looks for garbage that refers to itself."""

import gc


def look_for_cycles_seldom() -> None:
    """What is loaded by now stays, and requests leave few cycles: this makes every decision cheaper."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
