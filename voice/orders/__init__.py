"""Order understanding: an utterance and a menu to an order."""
