"""The signing keys of the demo: their stages, and a rotation."""
