"""The project of the chaos servers."""
