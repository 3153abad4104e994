"""What the engine weighs: the cost of each way to understand less than was said, or more, or otherwise.

The unit is a word that nothing explains. With those of `voice.orders.words`, for one word heard as another, they are all that there is;
they were chosen on the development sets as a whole.
"""

from typing import Final

# --- What words may mean ------------------------------------------------------------------------------------------------------------

SEGMENT: Final = 0.1  # each phrase: one long phrase is likelier than two short ones over the same words (shortest description)
MISSING_HEAD: Final = 0.45  # only the head of a name was said ("coffee" for "black coffee")
MISSING_REST: Final = 0.75  # only its modifier was ("lemon" for "lemon tea")
MISSING_ALONE: Final = 0.65  # only a modifier was, but no other name has it
MISSING_EMPTY: Final = 0.05  # only words were left out that name nothing ("lớn" for "ly lớn")
MISSING_SILENT: Final = 0.02  # a filler that it begins with ("house salad" for "the house salad")
ADJECTIVE: Final = 0.5  # more, where the modifier only tells what a thing is like: alone it names nothing
MISSING_MORE: Final = 0.15  # each further word that was not said
SHARED_WORD: Final = 0.05  # one word ends an item's name and begins an option's
OTHER_REGION: Final = 0.1  # another region's word for the same
UNJOINED: Final = 0.05  # "chicken bacon ranch" for "chicken and bacon ranch"
CATEGORY: Final = MISSING_HEAD  # what a thing is, for the thing: on the order, or to be asked
NOUN_OF_NONE: Final = 0.95  # "ice" never means "no ice", but "leave the ice" does
ROTATED: Final = 0.15  # "đường ít" for "ít đường"
MENU_FIRST: Final = 0.15  # a language's word that is also the menu's
MISHEARD: Final = 0.25  # another word that sounds like the number: "to" for "two"
LESS_LIKELY: Final = 0.01  # of two equal readings the other one
BROKEN: Final = 0.1  # the beginning of a longer phrase that was said whole
EMPTY: Final = 0.05  # a filler: of two equal readings the one that says something
TALK: Final = 0.2  # a stretch that asks or tells something and orders nothing
UNSAID: Final = 1.0  # each phrase of the menu that the reading does not use
NAME: Final = 0.3  # "chị Ba"
ELSEWHERE: Final = 0.15  # a filler of a language that the menu does not name, among Vietnamese words: "to", which is "big" there
AN_ARTICLE: Final = 0.02  # "a", "an": a weaker one
SOUNDING: Final = 0.45  # another word with the same consonants, where nothing else explains it

# --- How meanings may go together ---------------------------------------------------------------------------------------------------

PLURAL_ALONE: Final = 0.3  # "iced teas" without a number: one has been misheard
ADDED_ITEM: Final = 0.25  # "with a lemonade" speaks of the line before, where that can have one
ADDED_BARE: Final = 0.7  # "with rice", where the line can have some
BARE_ITEM: Final = 0.3  # an item right behind a line, with neither number nor "and"
JOINED_ITEM: Final = 0.25  # an item behind "and" without a number
ACROSS_JOIN: Final = 0.1  # an option behind "and" belongs to the line before it
ACROSS_STOP: Final = 0.2  # an option behind a full stop does
EARLY: Final = 0.5  # an option right behind a line belongs to the line after it
EARLY_JOINED: Final = 0.15  # the same behind "and"
SEPARATED: Final = 0.4  # "and" between an option and the item that it precedes
CONFLICT: Final = 0.6  # a second choice of a one-of group: it replaces the first
LATE: Final = 0.35  # an option of a line that is not the last
UNFIT: Final = 1.0  # an option that no line takes
COUNTED: Final = 0.1  # "two shots"
ONE_OF: Final = 0.3  # a number behind an article counts lines
COUNTS_BASE: Final = 0.15  # "cơm rang hai suất ít cay": the line has no other number
COUNTABLE: Final = 0.15  # "two sugars" as two more lines, where only portions were spoken of
COUNTED_ONE: Final = 0.5  # "one" before an option counts lines more often than portions
POSTPOSED: Final = 0.15  # "cà phê sữa hai ly"
POSTPOSED_BARE: Final = 0.4  # the same without a classifier
PART: Final = 0.2  # some of a line, or a line like the one before it; nothing for parts that are all of a line together
IMPLIED: Final = 0.8  # options without an item word that only one item takes
DANGLING_NUMBER: Final = 1.0
DANGLING_ARTICLE: Final = 0.15
DANGLING_AMOUNT: Final = 0.5
NOT_CARRIED: Final = 0.3  # "no onions and mushrooms": only the first is left out
CARRIED_BARE: Final = 0.35  # "không hành ngò": both are
UNDECIDED: Final = 0.3  # an item that fits several
UNDECIDED_OPTION: Final = 0.2
ONE_AMOUNT: Final = 0.3  # a little or a lot of something that one chooses, as of a size
HEAD_AGAIN: Final = 0.2  # the general word behind a special one: "ranch dressing"
REFERENCE: Final = 0.1
UNCOUNTED: Final = 0.1  # a word that counts things, behind no number
IDLE: Final = 0.02  # a word that could do something and does nothing
AIMLESS: Final = 0.4  # something is changed, and not told into what
RETRACTED: Final = 0.5  # options are taken back before their item came
CONTRADICTED: Final = 0.3  # a part of a line that takes back what was said of the whole
ABSENT: Final = 0.75  # something is taken off that is not on the order
TALK_WORD: Final = 0.15  # each word of a question that is about the menu
