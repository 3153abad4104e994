"""Conversations: dialogue acts, open questions, what to say next.

An utterance and the state of the conversation become the state after it and the shop's next sentence. The order parser
(`voice.orders.parser`) does the understanding; this package keeps the questions open that are not answered, and decides what to ask.
"""
