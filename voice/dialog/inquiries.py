"""What the customer asks about the menu."""

from collections.abc import Sequence

from voice.dialog.phrases import is_asking
from voice.dialog.state import Inquiry, InquiryKind
from voice.orders.parser.parser import Parse
from voice.orders.words import Token


def find_inquiry(tokens: Sequence[Token], parse: Parse) -> Inquiry | None:  # noqa: ARG001 - placeholder
    """Return what the customer asks; None if nothing is asked."""
    return Inquiry(InquiryKind.OTHER) if is_asking(tokens) else None
