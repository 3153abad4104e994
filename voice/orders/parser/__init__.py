"""A shift-reduce semantic parser with a log-linear model: an utterance and the dialogue state to edits on the draft order.

    tokens ─▶ lattice of arcs ─▶ shifts into chunks ─▶ reductions to edits on the draft ─▶ k best drafts with probabilities

1. `lexicon` finds the arcs of an utterance: spans of tokens in one role (item, option, number, function word), each with features of how
   well the words match (`names`, `spelling`). Every token also has an arc that leaves it unread. All arcs together are the lattice. The
   words that distinguish the choices of the open question get arcs of their own (`question_arcs`).
2. `parser` runs a beam search over the lattice from left to right. A hypothesis holds the draft so far and one open chunk (`state`).
3. A shift (`shift`, `shifts`) either adds an arc to the open chunk, or closes the chunk and begins a new one with the arc.
4. `reduce` closes a chunk: each production (`productions`: add, set options, split, remove, replace, answer, ...) that applies yields an
   edit on the draft (`draft`). The draft is part of the state, so a later reduction sees the lines that an earlier one made.
5. Shifts, reductions and the final draft emit events; `model` maps an event to features and a feature to a weight. `acts` gives the
   probability that the words are an edit at all, which is a feature of the final draft.
6. The cost of a parse is the sum of weight times value over its features, and P(parse) is proportional to exp(-cost).
7. Parses with the same denotation (`draft.denotation`: the same order) that wait for the same items add their probabilities; the cheapest
   parse of each of the k likeliest is returned, ranked by a small network over the same features (`ranker`).
8. `train` fits the weights to examples (menu, state, utterance, order after it) from `corpus`, and to examples from templates
   (`generation`); which parse is right is latent (`fitting`, `ranker_fitting`).

Sources: Nivre 2008 (shift-reduce parsing); Zhang and Clark 2011 (beam search); Huang and Sagae 2010 (merging of equal states);
Berger, Della Pietra and Della Pietra 1996 (log-linear model); Liang, Jordan and Klein 2011 (learning from denotations);
Gimpel and Smith 2010 (softmax-margin).
"""
