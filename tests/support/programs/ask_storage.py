"""Runs inside a service's container: print what the storage answers, with its key or without."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

request = urllib.request.Request("http://sutra-storage:50051/stats")
if sys.argv[1] == "key":
    key = Path("/run/secrets/storage-key").read_text()
    request.add_header("Authorization", f"Bearer {key}")
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
