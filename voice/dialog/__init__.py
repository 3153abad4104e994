"""Conversations: dialogue acts, open questions, what to say next.

An utterance and the state of the conversation become the state after it and the shop's next sentence (`turn.DialogEngine`). The order
parser (`voice.orders.parser`) yields the likeliest edits. This package decides which edits are made, keeps the questions open that are not
answered, and says what comes next.
"""
