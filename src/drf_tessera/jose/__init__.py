"""Signatures: keys, key rings and a strict codec for compact JWS. This package does not import Django.

Only this package uses the JOSE library. The library holds keys and computes signatures, but it never
parses a token of a client. The strict parser of tokens is drf-tessera's own.

- encoding: base64url and JSON, strictly
- algorithms: the algorithms, and which keys each of them takes; the home of the JOSE library
- keys: a key, and the ring of keys in force
- life: the stages of a key, at times that nobody can miss
- codec: compact JWS, in and out
"""
