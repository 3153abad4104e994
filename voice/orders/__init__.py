"""Order understanding: an utterance, a menu and the order so far become the order after the utterance.

    utterance -> words       tokens, and the normal forms of their spelling
              -> numbers     cardinal numbers;  spans: which of them are money, times, sizes, labels, ... instead of quantities
              -> lexicon     arcs: tokens in a role, from the menu's names and the function words of the language packs
              -> lattice     all arcs of the utterance
              -> reader      the cheapest consistent reading (search, names, groups; `costs` and `spelling` have its costs)
              -> editor      edits of the draft lines (drafts), calibrated (line_confidence)
              -> pricing     priced lines, with changes, questions and unmatched words

`engine` runs these for one menu, `explain` shows what each did, `confirmation` asks before it applies edits of doubtful speech.
`parser` is a parser with learned weights, in shadow mode. `compiled` compiles the modules.
"""
