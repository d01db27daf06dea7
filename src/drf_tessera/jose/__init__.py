"""Signatures: keys, key rings and a strict compact-JWS codec. Knows no Django.

This package is the only home of the JOSE library, and the library never parses a stranger's bytes:
it holds keys and computes signatures, while the envelope around them is ours and strict.
"""
