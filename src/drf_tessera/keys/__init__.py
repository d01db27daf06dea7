"""The keys that sign access tokens: where they come from, and their life.

- sealing: private keys, encrypted at rest
- rows: the keys in the database, and the only writer of their table
- files: the keys of a mounted file or folder
- book: the keys that this process knows
"""

from drf_tessera.keys.book import Book as Book
from drf_tessera.keys.book import connect as connect
from drf_tessera.keys.book import find_book as find_book
from drf_tessera.keys.files import read_key_file as read_key_file
from drf_tessera.keys.rows import Listed as Listed
from drf_tessera.keys.rows import list_all_keys as list_all_keys
from drf_tessera.keys.rows import list_keys as list_keys
from drf_tessera.keys.rows import list_overdue as list_overdue
from drf_tessera.keys.rows import open_private as open_private
from drf_tessera.keys.rows import retire_key as retire_key
from drf_tessera.keys.rows import revoke_key as revoke_key
from drf_tessera.keys.rows import rotate_keys as rotate_keys
from drf_tessera.keys.rows import uses_database as uses_database
from drf_tessera.keys.sealing import derive as derive
