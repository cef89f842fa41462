"""What can go wrong on the link to the switch, named by whose fault it is."""


class AmiFault(Exception):  # noqa: N818 - the house calls exceptions faults
    """Any fault of the link; the text never carries a secret or a header value that was sent."""


class LinkDown(AmiFault):
    """No link (or not yet logged in and booted): the action was **not** sent."""


class OutcomeUnknown(AmiFault):
    """The action was sent and its answer will not come: it may or may not have been carried out."""


class AnswerTimeout(OutcomeUnknown):
    """No answer in the time given; a later answer is dropped and counted."""


class ListIncomplete(AmiFault):
    """The switch announced another number of list items than arrived: nothing may be concluded from the list."""


class ActionRefused(AmiFault):
    """The switch answered `Response: Error` to something that is a fault and not an expected refusal."""


class PeerFault(AmiFault):
    """The other side is not an Asterisk we can work with: banner, version, silence, or no FullyBooted."""


class LoginRefused(PeerFault):
    """The switch refused the user or the secret (or our address)."""
