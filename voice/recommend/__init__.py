"""Next-item suggestions: counts, a ranking model, and their synchronisation with the store."""
