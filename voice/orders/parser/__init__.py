"""A shift-reduce semantic parser with a log-linear model: an utterance and the state of a conversation to edits on a draft order."""
