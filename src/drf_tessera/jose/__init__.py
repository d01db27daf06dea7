"""Signatures: keys, key rings and a strict compact-JWS codec. Knows no Django.

This package is the only home of the JOSE library, and the library never parses a stranger's bytes:
it holds keys and computes signatures, while the envelope around them is ours and strict.

- encoding: base64url and JSON, strictly
- algorithms: the algorithms, and which keys each of them takes; the home of the JOSE library
- keys: a key, and the ring of keys in force
- codec: compact JWS, in and out
"""
