"""Integrations, one file for each package of others.

A file imports its package, REST framework if it needs it, and the doors of the rooms above. No other room
imports the file, because most projects do not have the package. Each file has a line in this list:

- adrf: authentication for the asynchronous views of adrf
- channels: tokens and tickets for sockets
- ninja: security classes for Django Ninja
- strawberry: a permission for Strawberry (GraphQL)
- spectacular: the schema of the endpoints for drf-spectacular
- allauth: the tokens of allauth's headless API
- axes: our codes where django-axes has locked somebody out
- opentelemetry: metrics and events of spans
- pkcs11: a signer whose key stays in an HSM, for PyKCS11
- freezegun: a stopped clock for tests, by freezegun
- time_machine: a stopped clock for tests, by time-machine
- pytest: fixtures for the tests of projects
"""
