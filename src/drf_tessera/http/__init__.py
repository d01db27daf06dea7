"""Requests and answers without REST framework: routes, CSRF checks, headers, cookies and transports.

- routes: the addresses of views
- csrf: the check that the site itself made a request
- bearer: tokens in the header and in the body
- cookies: tokens in cookies
- access: the access token of a request
- client: the origin of a request
- languages: the language of an answer
- documents: public documents, which pages of every origin may read
- resource: the address of the metadata of a protected resource
- refusals: the answers to errors
- reports: the signal of refused access tokens
- transport: one class for each way in which tokens travel
"""

from drf_tessera.http.access import has_credentials as has_credentials
from drf_tessera.http.access import name_vary as name_vary
from drf_tessera.http.access import read_cookie_token as read_cookie_token
from drf_tessera.http.access import read_header_token as read_header_token
from drf_tessera.http.access import recall_access as recall_access
from drf_tessera.http.access import trace_token as trace_token
from drf_tessera.http.bearer import has_bearer_token as has_bearer_token
from drf_tessera.http.bearer import read_authorization as read_authorization
from drf_tessera.http.bearer import read_bearer_token as read_bearer_token
from drf_tessera.http.client import count_proxies as count_proxies
from drf_tessera.http.client import describe_client as describe_client
from drf_tessera.http.client import read_address as read_address
from drf_tessera.http.cookies import delete_stray_cookies as delete_stray_cookies
from drf_tessera.http.cookies import is_secure as is_secure
from drf_tessera.http.cookies import name_cookies as name_cookies
from drf_tessera.http.csrf import check_site as check_site
from drf_tessera.http.documents import public_document as public_document
from drf_tessera.http.languages import set_language as set_language
from drf_tessera.http.refusals import RETRY_AFTER_SECONDS as RETRY_AFTER_SECONDS
from drf_tessera.http.refusals import find_status as find_status
from drf_tessera.http.refusals import recall_failure as recall_failure
from drf_tessera.http.refusals import remember_failure as remember_failure
from drf_tessera.http.refusals import to_ascii as to_ascii
from drf_tessera.http.refusals import write_challenge as write_challenge
from drf_tessera.http.refusals import write_refusal as write_refusal
from drf_tessera.http.reports import LateRefuser as LateRefuser
from drf_tessera.http.reports import report_refused_token as report_refused_token
from drf_tessera.http.resource import RESOURCE_PATH as RESOURCE_PATH
from drf_tessera.http.resource import RESOURCE_ROUTE as RESOURCE_ROUTE
from drf_tessera.http.resource import has_resource_metadata as has_resource_metadata
from drf_tessera.http.resource import is_inside as is_inside
from drf_tessera.http.resource import point_to_metadata as point_to_metadata
from drf_tessera.http.routes import find_cookie_directory as find_cookie_directory
from drf_tessera.http.routes import find_cookie_path as find_cookie_path
from drf_tessera.http.routes import find_view_class as find_view_class
from drf_tessera.http.routes import walk_views as walk_views
from drf_tessera.http.transport import TRANSPORTS as TRANSPORTS
from drf_tessera.http.transport import Transport as Transport
from drf_tessera.http.transport import admit_access as admit_access
from drf_tessera.http.transport import admit_login as admit_login
from drf_tessera.http.transport import clear_ended as clear_ended
from drf_tessera.http.transport import deliver_access as deliver_access
from drf_tessera.http.transport import deliver_grant as deliver_grant
from drf_tessera.http.transport import find_refresh_token as find_refresh_token
from drf_tessera.http.transport import needs_body as needs_body
from drf_tessera.http.transport import offers_ambient as offers_ambient
from drf_tessera.http.transport import takes_body as takes_body
