"""Menu files: `loading` loads and reloads them; `voice.bounded_yaml` parses them."""
