"""Order understanding: an utterance, a menu and the order so far become the order after the utterance.

    utterance -> words       tokens, and the normal forms of their spelling
              -> numbers     cardinal numbers;  spans: which of them are money, times, sizes, labels, ... instead of quantities
              -> parser      the likeliest edits, by learned weights
              -> pricing     priced lines

`confirmation` tells whether speech was recognised too uncertainly to edit an order. `compiled` compiles the modules. `corpus` reads the
sentences and conversations that measure them and that the weights are fitted to.
"""
