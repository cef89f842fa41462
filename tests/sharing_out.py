"""Which tests run one after another on one worker, when several share the work (`make test`)."""

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

LIVE = {
    "failure": {"test_gateway_dies", "test_outages", "test_switch_dies"},
    # SIPp's media ports are the same in every run of it
    "measured": {
        "test_billing_against_sipp",
        "test_demo",
        "test_lab",
        "test_load",
        "test_one_account",
        "test_secrets",
        "test_switch",
    },
}
"""Live tests wait most of their time: each of these groups has a worker and a lab of its own, all others share one."""


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # the library has no types
    """Live tests by group, the prompts' tests together because they build all prompts first, every other test alone."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePath(nodeid.partition("::")[0])
        if path.match("tests/live/*"):
            return next((group for group, files in LIVE.items() if path.stem in files), "live")
        return "sounds" if path.match("tests/sounds/*") else nodeid
