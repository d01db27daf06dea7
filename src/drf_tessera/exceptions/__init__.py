"""Every error that drf-tessera raises, as one tree.

Each class has a ``code``. Clients and log searches may rely on the ``code``, because it never changes.
``detail`` is a text for a person. It contains no secret and no token. The class states the kind of
refusal. Only :mod:`drf_tessera.rest.errors` turns a kind into an HTTP status.

- root: the root of all errors, and the mistakes of a project
- requests: requests that cannot be understood, or that another site may have made
- refusals: refusals of a person or of a token
- troubles: limits, and temporary problems of the server
"""

from drf_tessera.exceptions.refusals import ChallengeFailed as ChallengeFailed
from drf_tessera.exceptions.refusals import ChallengeRequired as ChallengeRequired
from drf_tessera.exceptions.refusals import HeaderMalformed as HeaderMalformed
from drf_tessera.exceptions.refusals import LoginFailed as LoginFailed
from drf_tessera.exceptions.refusals import LoginRefused as LoginRefused
from drf_tessera.exceptions.refusals import PasswordChanged as PasswordChanged
from drf_tessera.exceptions.refusals import PersonalTokenInvalid as PersonalTokenInvalid
from drf_tessera.exceptions.refusals import PersonalTokenRefused as PersonalTokenRefused
from drf_tessera.exceptions.refusals import ProofNeeded as ProofNeeded
from drf_tessera.exceptions.refusals import RefreshInvalid as RefreshInvalid
from drf_tessera.exceptions.refusals import RefreshLost as RefreshLost
from drf_tessera.exceptions.refusals import RefreshMissing as RefreshMissing
from drf_tessera.exceptions.refusals import RefreshReused as RefreshReused
from drf_tessera.exceptions.refusals import Refusal as Refusal
from drf_tessera.exceptions.refusals import SessionEnded as SessionEnded
from drf_tessera.exceptions.refusals import SessionExpired as SessionExpired
from drf_tessera.exceptions.refusals import SessionRevoked as SessionRevoked
from drf_tessera.exceptions.refusals import SessionUnknown as SessionUnknown
from drf_tessera.exceptions.refusals import TicketInvalid as TicketInvalid
from drf_tessera.exceptions.refusals import TokenBadSignature as TokenBadSignature
from drf_tessera.exceptions.refusals import TokenClaimInvalid as TokenClaimInvalid
from drf_tessera.exceptions.refusals import TokenError as TokenError
from drf_tessera.exceptions.refusals import TokenExpired as TokenExpired
from drf_tessera.exceptions.refusals import TokenKeyUnknown as TokenKeyUnknown
from drf_tessera.exceptions.refusals import TokenMalformed as TokenMalformed
from drf_tessera.exceptions.refusals import TokenNotYetValid as TokenNotYetValid
from drf_tessera.exceptions.refusals import TokenTooLarge as TokenTooLarge
from drf_tessera.exceptions.refusals import TokenUnsupported as TokenUnsupported
from drf_tessera.exceptions.refusals import TokenWrongAudience as TokenWrongAudience
from drf_tessera.exceptions.refusals import TokenWrongIssuer as TokenWrongIssuer
from drf_tessera.exceptions.refusals import TokenWrongType as TokenWrongType
from drf_tessera.exceptions.refusals import TransportMismatch as TransportMismatch
from drf_tessera.exceptions.refusals import Unauthenticated as Unauthenticated
from drf_tessera.exceptions.refusals import UserConflict as UserConflict
from drf_tessera.exceptions.refusals import UserGone as UserGone
from drf_tessera.exceptions.refusals import UserInactive as UserInactive
from drf_tessera.exceptions.requests import ClientInvalid as ClientInvalid
from drf_tessera.exceptions.requests import CookieAmbiguous as CookieAmbiguous
from drf_tessera.exceptions.requests import CsrfFailed as CsrfFailed
from drf_tessera.exceptions.requests import CsrfTokenRefused as CsrfTokenRefused
from drf_tessera.exceptions.requests import EmailLoginUnavailable as EmailLoginUnavailable
from drf_tessera.exceptions.requests import FetchSiteRefused as FetchSiteRefused
from drf_tessera.exceptions.requests import OriginRefused as OriginRefused
from drf_tessera.exceptions.requests import PersonalTokensFull as PersonalTokensFull
from drf_tessera.exceptions.requests import RequestError as RequestError
from drf_tessera.exceptions.requests import ScopeMissing as ScopeMissing
from drf_tessera.exceptions.requests import ScopeUnavailable as ScopeUnavailable
from drf_tessera.exceptions.requests import SessionMissing as SessionMissing
from drf_tessera.exceptions.requests import SessionNotFound as SessionNotFound
from drf_tessera.exceptions.requests import TokenMissing as TokenMissing
from drf_tessera.exceptions.requests import TransportUnavailable as TransportUnavailable
from drf_tessera.exceptions.root import ClaimsHookError as ClaimsHookError
from drf_tessera.exceptions.root import KeyMaterialError as KeyMaterialError
from drf_tessera.exceptions.root import MigrationMissing as MigrationMissing
from drf_tessera.exceptions.root import ProjectError as ProjectError
from drf_tessera.exceptions.root import SettingsError as SettingsError
from drf_tessera.exceptions.root import TesseraError as TesseraError
from drf_tessera.exceptions.troubles import DatabaseUnavailable as DatabaseUnavailable
from drf_tessera.exceptions.troubles import IssuerUnavailable as IssuerUnavailable
from drf_tessera.exceptions.troubles import KeysUnavailable as KeysUnavailable
from drf_tessera.exceptions.troubles import LoginBusy as LoginBusy
from drf_tessera.exceptions.troubles import RefreshContended as RefreshContended
from drf_tessera.exceptions.troubles import RevocationUnavailable as RevocationUnavailable
from drf_tessera.exceptions.troubles import TemporarilyUnavailable as TemporarilyUnavailable
from drf_tessera.exceptions.troubles import TooManyAttempts as TooManyAttempts
