"""What the customer asks about the menu."""

from collections.abc import Sequence

from voice.dialog.state import Inquiry, InquiryKind
from voice.orders.parser.arc import Arc
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import Role
from voice.orders.words import Token


def find_inquiry(tokens: Sequence[Token], parse: Parse) -> Inquiry | None:
    """Return what the customer asks; None if nothing is asked."""
    if any(isinstance(event, Arc) and event.role is Role.INQUIRY for event in parse.events) or any(
        token.surface == "?" for token in tokens
    ):
        return Inquiry(InquiryKind.OTHER)
    return None
