"""Notes that belong to their owner: a small API that needs the tokens."""
