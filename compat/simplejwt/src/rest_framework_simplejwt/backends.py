"""The names of simplejwt's ``backends``. The class stands in ``verifying``, below the tokens that use it."""

import json as json
from collections.abc import Iterable as Iterable
from datetime import timedelta as timedelta
from functools import cached_property as cached_property
from typing import Any as Any
from typing import Optional as Optional
from typing import Union as Union

import jwt as jwt
from jwt import ExpiredSignatureError as ExpiredSignatureError
from jwt import InvalidAlgorithmError as InvalidAlgorithmError
from jwt import InvalidTokenError as InvalidTokenError
from jwt import PyJWKClient as PyJWKClient
from jwt import PyJWKClientError as PyJWKClientError
from jwt import algorithms as algorithms

from rest_framework_simplejwt.exceptions import TokenBackendError as TokenBackendError
from rest_framework_simplejwt.exceptions import TokenBackendExpiredToken as TokenBackendExpiredToken
from rest_framework_simplejwt.tokens import Token as Token
from rest_framework_simplejwt.utils import format_lazy as format_lazy
from rest_framework_simplejwt.verifying import ALLOWED_ALGORITHMS as ALLOWED_ALGORITHMS
from rest_framework_simplejwt.verifying import TokenBackend as TokenBackend

JWK_CLIENT_AVAILABLE = True
