"""No models, as in djangorestframework-jwt."""
