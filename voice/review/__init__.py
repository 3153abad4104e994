"""Utterances that a merchant agreed to keep, and what was made of them.

`kept` makes a record of a turn, `recorder` stores records in the background. The command `review` reads them
(`voice/evaluation/review.py`).
"""
