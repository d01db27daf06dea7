"""Tools that make pages from the source. Each one runs by ``python -m tools.<name>``."""
