"""What the engine weighs: the cost of each way to understand less than was said, or more, or otherwise.

The unit is a word that nothing explains. With those of `voice.words`, for one word heard as another, they are all that there is; they
were chosen on the development sets as a whole.
"""

# --- What words may mean ------------------------------------------------------------------------------------------------------------

SEGMENT = 0.1  # each phrase: one long phrase is likelier than two short ones over the same words (shortest description)
MISSING_HEAD = 0.45  # only the head of a name was said ("coffee" for "black coffee")
MISSING_REST = 0.75  # only its modifier was ("lemon" for "lemon tea")
MISSING_ALONE = 0.65  # only a modifier was, but no other name has it
MISSING_EMPTY = 0.05  # only words were left out that name nothing ("lớn" for "ly lớn")
ADJECTIVE = 0.5  # more, where the modifier only tells what a thing is like: alone it names nothing
MISSING_MORE = 0.15  # each further word that was not said
SHARED_WORD = 0.05  # one word ends an item's name and begins an option's
OTHER_REGION = 0.1  # another region's word for the same
UNJOINED = 0.05  # "chicken bacon ranch" for "chicken and bacon ranch"
CATEGORY = MISSING_HEAD  # what a thing is, for the thing: on the order, or to be asked
NOUN_OF_NONE = 0.95  # "ice" never means "no ice", but "leave the ice" does
ROTATED = 0.15  # "đường ít" for "ít đường"
MENU_FIRST = 0.15  # a language's word that is also the menu's
MISHEARD = 0.25  # another word that sounds like the number: "to" for "two"
EMPTY = 0.05  # a filler: of two equal readings the one that says something
TALK = 0.2  # a stretch that asks or tells something and orders nothing
UNSAID = 1.0  # each phrase of the menu that the reading does not use
NAME = 0.3  # "chị Ba"
ELSEWHERE = 0.15  # a filler of a language that the menu does not name, among Vietnamese words: "to", which is "big" there
AN_ARTICLE = 0.02  # "a", "an": a weaker one
SOUNDING = 0.45  # another word with the same consonants, where nothing else explains it

# --- How meanings may go together ---------------------------------------------------------------------------------------------------

PLURAL_ALONE = 0.3  # "iced teas" without a number: one has been misheard
ADDED_ITEM = 0.25  # "with a lemonade" speaks of the line before, where that can have one
ADDED_BARE = 0.7  # "with rice", where the line can have some
BARE_ITEM = 0.3  # an item right behind a line, with neither number nor "and"
JOINED_ITEM = 0.25  # an item behind "and" without a number
ACROSS_JOIN = 0.1  # an option behind "and" belongs to the line before it
ACROSS_STOP = 0.2  # an option behind a full stop does
EARLY = 0.5  # an option right behind a line belongs to the line after it
EARLY_JOINED = 0.15  # the same behind "and"
SEPARATED = 0.4  # "and" between an option and the item that it precedes
CONFLICT = 0.6  # a second choice of a one-of group: it replaces the first
LATE = 0.35  # an option of a line that is not the last
UNFIT = 1.0  # an option that no line takes
COUNTED = 0.1  # "two shots"
COUNTS_BASE = 0.15  # "cơm rang hai suất ít cay": the line has no other number
COUNTABLE = 0.15  # "two sugars" as two more lines, where only portions were spoken of
COUNTED_ONE = 0.5  # "one" before an option counts lines more often than portions
POSTPOSED = 0.15  # "cà phê sữa hai ly"
POSTPOSED_BARE = 0.4  # the same without a classifier
PART = 0.2  # some of a line, or a line like the one before it
IMPLIED = 0.5  # options without an item word that only one item takes
DANGLING_NUMBER = 1.0
DANGLING_ARTICLE = 0.15
DANGLING_AMOUNT = 0.5
NOT_CARRIED = 0.3  # "no onions and mushrooms": only the first is left out
CARRIED_BARE = 0.35  # "không hành ngò": both are
UNDECIDED = 0.3  # an item that fits several
UNDECIDED_OPTION = 0.2
ONE_AMOUNT = 0.3  # a little or a lot of something that one chooses, as of a size
HEAD_AGAIN = 0.2  # the general word behind a special one: "ranch dressing"
REFERENCE = 0.1
IDLE = 0.02  # a word that could do something and does nothing
AIMLESS = 0.4  # something is changed, and not told into what
RETRACTED = 0.5  # options are taken back before their item came
CONTRADICTED = 0.3  # a part of a line that takes back what was said of the whole
ABSENT = 0.75  # something is taken off that is not on the order
TALK_WORD = 0.15  # each word of a question that is about the menu
