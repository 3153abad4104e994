"""The effects of arcs on hypotheses, by role: each function yields the hypotheses behind an arc."""
