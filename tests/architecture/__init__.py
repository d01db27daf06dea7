"""The rules of the house. ``tools.house`` reads it; the modules here say what is wrong with it."""
