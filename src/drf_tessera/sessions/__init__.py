"""The life of a session: start, refresh, revoke, prune, inspect, adopt.

- expressions: SQL that Django does not have
- clock: the clock by which a refresh is judged
- compiled: an ``UPDATE`` that is compiled once
- reasons: the reasons why a session was ended early
- owners: the user of a session, active and unchanged
- rows: every statement that writes a session
- devices: a name for the device of a login, from its user agent
- places: the networks and devices of earlier logins
- grants: the result of a login or a refresh
- revoking: end sessions early
- clearing: end the sessions of everybody
- starting: start a session
- origins: where the present work comes from, and the signals of refusals
- personal: personal access tokens
- acting: act as another person for some minutes
- again: another access token of a live session
- refreshing: exchange a refresh token
- handles: texts that find a session and let nobody in
- inspection: look at a refresh token without spending it
- adoption: take over refresh tokens of other packages
- pruning: delete the sessions that ended long ago
"""

from drf_tessera.sessions.acting import acting_sessions as acting_sessions
from drf_tessera.sessions.acting import impersonate as impersonate
from drf_tessera.sessions.acting import stop_acting as stop_acting
from drf_tessera.sessions.adoption import LegacyToken as LegacyToken
from drf_tessera.sessions.adoption import adopt as adopt
from drf_tessera.sessions.adoption import adopt_many as adopt_many
from drf_tessera.sessions.adoption import is_closed as is_closed
from drf_tessera.sessions.adoption import is_foreign as is_foreign
from drf_tessera.sessions.adoption import name_token as name_token
from drf_tessera.sessions.again import HANDED_OVER as HANDED_OVER
from drf_tessera.sessions.again import mint_again as mint_again
from drf_tessera.sessions.clearing import count_before as count_before
from drf_tessera.sessions.clearing import revoke_before as revoke_before
from drf_tessera.sessions.clearing import revoke_everybody as revoke_everybody
from drf_tessera.sessions.grants import Grant as Grant
from drf_tessera.sessions.grants import trace_grant as trace_grant
from drf_tessera.sessions.handles import HANDLE_PREFIX as HANDLE_PREFIX
from drf_tessera.sessions.handles import read_handle as read_handle
from drf_tessera.sessions.handles import write_handle as write_handle
from drf_tessera.sessions.inspection import inspect_refresh_token as inspect_refresh_token
from drf_tessera.sessions.inspection import preview_refresh as preview_refresh
from drf_tessera.sessions.inspection import rewrite_refresh_token as rewrite_refresh_token
from drf_tessera.sessions.inspection import shorten_refresh_token as shorten_refresh_token
from drf_tessera.sessions.inspection import sign_access_token as sign_access_token
from drf_tessera.sessions.origins import acting_for as acting_for
from drf_tessera.sessions.origins import find_origin as find_origin
from drf_tessera.sessions.origins import is_heard as is_heard
from drf_tessera.sessions.origins import report_refusal as report_refusal
from drf_tessera.sessions.origins import unreported as unreported
from drf_tessera.sessions.personal import IssuedToken as IssuedToken
from drf_tessera.sessions.personal import issue_personal_token as issue_personal_token
from drf_tessera.sessions.personal import preview_personal_token as preview_personal_token
from drf_tessera.sessions.personal import verify_personal_token as verify_personal_token
from drf_tessera.sessions.places import has_logged_in_from as has_logged_in_from
from drf_tessera.sessions.pruning import prune as prune
from drf_tessera.sessions.reasons import Reason as Reason
from drf_tessera.sessions.refreshing import refresh as refresh
from drf_tessera.sessions.refreshing import refresh_proved as refresh_proved
from drf_tessera.sessions.revoking import revoke as revoke
from drf_tessera.sessions.revoking import revoke_all as revoke_all
from drf_tessera.sessions.revoking import revoke_all_of as revoke_all_of
from drf_tessera.sessions.revoking import revoke_by_refresh_token as revoke_by_refresh_token
from drf_tessera.sessions.revoking import sparing as sparing
from drf_tessera.sessions.rows import has_begun as has_begun
from drf_tessera.sessions.rows import live_sessions as live_sessions
from drf_tessera.sessions.starting import Client as Client
from drf_tessera.sessions.starting import choose_transport as choose_transport
from drf_tessera.sessions.starting import clean_text as clean_text
from drf_tessera.sessions.starting import start as start
