"""Where artifacts go: a folder, or any URL that fsspec has a driver for. It alone uses fsspec.

A name is there whole or not at all: files appear by renaming, objects by one put. Credentials come from the
environment, never from a URL.
"""

from agentics.storage.publication import publish, read_folder
from agentics.storage.retrying import Retries
from agentics.storage.store import Store, open_store

__all__ = ["Retries", "Store", "open_store", "publish", "read_folder"]
