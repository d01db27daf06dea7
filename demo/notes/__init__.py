"""Notes that belong to their owner: the little API that the tokens are for."""
