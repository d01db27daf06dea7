"""The part for Django REST Framework. Only this room imports ``rest_framework``.

- requests: the types of requests, for annotations
- errors: one shape for every error
- authentication: the authentication classes
- schemes: the ways to authenticate, for schemas
- permissions: permissions by scope and claim
- throttling: limits, before the body is read
- serializers: the shapes of requests and answers
- answers: the answers of each endpoint, for schemas
- responses: the answers that hand out tokens
- endpoints: the parents of the views
- views: the endpoints
- urls: their addresses
- personal: the endpoints for personal access tokens
- personal_urls: their addresses
"""
