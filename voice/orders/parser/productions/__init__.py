"""Productions: each yields the edits that a chunk can become, or nothing where it does not apply."""
