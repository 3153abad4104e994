"""The costs of parses: unread words, and unlikely roles and combinations.

The unit is an unread word. `voice.orders.spelling` has the costs of misspellings. The values were fitted to the development
sets as a whole.
"""

from typing import Final

# --- Phrases ------------------------------------------------------------------------------------------------------------------------

SEGMENT: Final = 0.1  # each phrase: one long phrase is likelier than two short ones over the same words (minimum description length)
MISSING_HEAD: Final = 0.45  # a name without its modifier
MISSING_REST: Final = 0.75  # a modifier without the head of its name
MISSING_ALONE: Final = 0.65  # a modifier without its head, if no other name has the modifier
MISSING_EMPTY: Final = 0.05  # the missing words do not distinguish names (`LanguagePack.uninformative_words`)
MISSING_SILENT: Final = 0.02  # a name without the filler with which it begins
ADJECTIVE: Final = 0.5  # added if the modifier is an adjective; alone it names nothing
MISSING_MORE: Final = 0.15  # each further missing word
SHARED_WORD: Final = 0.05  # an item name and an option name overlap in one word
OTHER_REGION: Final = 0.1  # a synonym
UNJOINED: Final = 0.05  # a name without its conjunction
CATEGORY: Final = MISSING_HEAD  # the category of an item in place of its name
NOUN_OF_NONE: Final = 0.95  # "ice" for the choice "no ice": rarely meant without a negation
ROTATED: Final = 0.15  # the amount behind its noun in the name of a choice
MENU_FIRST: Final = 0.15  # a function word that is also a name of the menu
MISHEARD: Final = 0.25  # a homophone of a number
LESS_LIKELY: Final = 0.01  # breaks a tie between two parses
BROKEN: Final = 0.1  # the beginning of a longer phrase that is complete
EMPTY: Final = 0.05  # a filler: breaks a tie in favour of words with a function
STATEMENT: Final = 0.2  # a statement or question that orders nothing
UNREAD_NAME: Final = 1.0  # a spoken menu name that the parse leaves unread
NAME: Final = 0.3  # the name of a person
ELSEWHERE: Final = 0.15  # a filler of a language that is not the menu's, in an utterance with Vietnamese diacritics
AN_ARTICLE: Final = 0.02  # an article, which is weaker than "one"
SOUNDING: Final = 0.45  # a name with the same consonants as an unknown word

# --- Combinations -------------------------------------------------------------------------------------------------------------------

PLURAL_ALONE: Final = 0.3  # an item in the plural without a number
ADDED_ITEM: Final = 0.25  # an item behind "with" that the line before may have as an option
ADDED_BARE: Final = 0.7  # ADDED_ITEM without a number
BARE_ITEM: Final = 0.3  # an item right behind a line, without a number or a conjunction
JOINED_ITEM: Final = 0.25  # an item behind a conjunction without a number
ACROSS_JOIN: Final = 0.1  # an option behind a conjunction belongs to the line before it
ACROSS_STOP: Final = 0.2  # an option behind a full stop belongs to the line before it
EARLY: Final = 0.5  # an option right behind a line belongs to the line after it
EARLY_JOINED: Final = 0.15  # an option behind a conjunction belongs to the line after it
SEPARATED: Final = 0.4  # a conjunction between an option and the item after it
CONFLICT: Final = 0.6  # a second choice of a one-of group; it replaces the first
LATE: Final = 0.35  # an option of a line that is not the last
UNFIT: Final = 1.0  # an option that no line may have
COUNTED: Final = 0.1  # a number of portions
NUMBER_AFTER_ARTICLE: Final = 0.3  # a number behind an article; it is more often a size than a quantity
COUNTS_BASE: Final = 0.15  # a number behind an item without another number
COUNTABLE: Final = 0.15  # a number before an option counts lines; more often it counts portions
COUNTED_ONE: Final = 0.5  # "one" before an option counts lines
POSTPOSED: Final = 0.15  # a number with a classifier behind its item
POSTPOSED_BARE: Final = 0.4  # a number without a classifier behind its item
PART: Final = 0.2  # some units of a line, or a line like the one before; 0 for parts that make up the line
IMPLIED: Final = 0.8  # options without an item that only one item has
DANGLING_NUMBER: Final = 1.0  # a number that counts nothing
DANGLING_ARTICLE: Final = 0.15  # an article before nothing
DANGLING_AMOUNT: Final = 0.5  # an amount of nothing
NOT_CARRIED: Final = 0.3  # a negation that applies to the first of two joined options only
CARRIED_BARE: Final = 0.35  # a negation that applies to two options without a conjunction
UNDECIDED: Final = 0.3  # a name of several items
UNDECIDED_OPTION: Final = 0.2  # a name of several choices
ONE_AMOUNT: Final = 0.3  # an amount of a choice that takes none, such as a size
HEAD_AGAIN: Final = 0.2  # a category behind the name of an item in it
REFERENCE: Final = 0.1  # a pronoun for a line
CLASSIFIER_ALONE: Final = 0.1  # a classifier without a number
IDLE: Final = 0.02  # a function word without an effect here
AIMLESS: Final = 0.4  # a replacement without its new part
RETRACTED: Final = 0.5  # options that are corrected before their item
CONTRADICTED: Final = 0.3  # a part of a line that negates an option of the whole
ABSENT: Final = 0.75  # the removal of an item or option that is not on the order
QUESTION_WORD: Final = 0.15  # each word of a question
