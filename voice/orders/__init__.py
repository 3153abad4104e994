"""Order understanding: an utterance, a menu and the order so far become the order after the utterance.

    utterance -> words       tokens, and the normal forms of their spelling
              -> numbers     cardinal numbers;  spans: which of them are money, times, sizes, labels, ... instead of quantities
              -> lexicon     arcs: tokens in a role, from the menu's names and the function words of the language packs
              -> lattice     all arcs of the utterance
              -> reader      the cheapest consistent parse (search, groups, item_steps; `costs` and `spelling` have its costs)
              -> editor      edits of the draft lines (drafts), calibrated (line_confidence)
              -> pricing     priced lines, with changes, questions and unmatched words

`engine` runs these for one menu; `confirmation` turns edits of uncertainly recognised speech into questions. `compiled` compiles the
modules. `corpus` reads the sentences and conversations that measure them.

`parser` is the parser with learned weights that serves, through `voice.dialog`. `engine` gives a second opinion and scores transcripts.
The parser's modules and classes of the same names (`lexicon`, `names`, `spelling`, `Lexicon`, `Arc`, `Role`, `ChoiceRef`)
are its own; it shares `words`, `numbers`, `spans`, `language_packs` and the distances of `spelling`.
"""
