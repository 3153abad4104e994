"""The table from roles to shifts.

Most roles are ambiguous: an arc may extend the open chunk or begin a new one. A shift yields both, each with an event; the model decides.
"""

from collections.abc import Callable, Mapping
from typing import Final

from voice.orders.parser.moves import Hypotheses, Shift
from voice.orders.parser.roles import Role
from voice.orders.parser.shifts.connectives import JOINTS, shift_adverb, shift_filler, shift_joint, shift_request, shift_unread, shift_with
from voice.orders.parser.shifts.names import shift_amount, shift_amount_behind, shift_group, shift_item, shift_option
from voice.orders.parser.shifts.numbers import shift_number, shift_portion
from voice.orders.parser.shifts.operations import VERBS, shift_again, shift_cancel, shift_correction, shift_except, shift_more, shift_verb
from voice.orders.parser.shifts.references import (
    shift_answer,
    shift_ordinal,
    shift_own,
    shift_person,
    shift_reference,
    shift_share,
    shift_swap,
)
from voice.orders.parser.state import ADVERBS, FLAG_OF_ROLE

SHIFTS: Final[Mapping[Role, Callable[[Shift], Hypotheses]]] = {
    Role.ITEM: shift_item,
    Role.OPTION: shift_option,
    Role.GROUP: shift_group,
    Role.NUMBER: shift_number,
    Role.ARTICLE: shift_number,
    Role.PORTION: shift_portion,
    Role.AMOUNT: shift_amount,
    Role.AMOUNT_BEHIND: shift_amount_behind,
    Role.REQUEST: shift_request,
    Role.MORE: shift_more,
    Role.AGAIN: shift_again,
    Role.CORRECTION: shift_correction,
    Role.CANCEL: shift_cancel,
    Role.EXCEPT: shift_except,
    Role.ORDINAL: shift_ordinal,
    Role.SHARE: shift_share,
    Role.PERSON: shift_person,
    Role.OWN: shift_own,
    Role.SWAP: shift_swap,
    Role.WITH: shift_with,
    Role.ONTO: shift_with,
    Role.UNREAD: shift_unread,
    **dict.fromkeys(JOINTS, shift_joint),
    **dict.fromkeys(VERBS, shift_verb),
    **dict.fromkeys(FLAG_OF_ROLE, shift_reference),
    **dict.fromkeys(ADVERBS, shift_adverb),
    **dict.fromkeys((Role.FILLER, Role.CLASSIFIER, Role.TALK, Role.PEOPLE, Role.INQUIRY), shift_filler),
    **dict.fromkeys((Role.YES, Role.NO, Role.DONE, Role.ANY, Role.MOST, Role.LEAST, Role.MIDDLE), shift_answer),
}
