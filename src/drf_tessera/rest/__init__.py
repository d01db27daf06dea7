"""The part for Django REST Framework. Only this room imports ``rest_framework``.

- requests: the types of requests, for annotations
- errors: one shape for every error
- reports: the signals of refused tokens
- authentication: the authentication classes
- foreign: the common part of authentication classes under the names of other packages
- steps: the checks of a token, in words
- explanation: why a token is accepted or refused, step by step
- schemes: the ways to authenticate, for schemas
- clients: the programs that may ask about tokens
- permissions: permissions by scope and claim
- throttling: limits, before the body is read
- serializers: the bodies of requests, and the user and the session of answers
- shapes: the other answers
- answers: the answers of each endpoint, for schemas
- responses: the answers that hand out tokens
- endpoints: the parents of the views
- views: the endpoints
- keysets: the public keys, for services that verify tokens
- metadata: the documents for OAuth clients under ``/.well-known/``
- urls: their addresses
- personal: the endpoints for personal access tokens
- tickets: the endpoint for one-time tickets
- handover: the endpoints that hand a session over to another subdomain
- personal_urls: their addresses
- proving: the endpoint that proves again who a person is
"""
