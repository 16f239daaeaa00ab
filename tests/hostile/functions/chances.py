"""Values that should differ between environments."""

import os
import random
import secrets
import ssl
import sys
import tempfile
import time
import uuid


def draw(until):
    """One of each kind, at the same time as in other environments."""
    drawn = {
        "random-module": random.random(),
        "random-own-generator": random.Random().random(),
        "random-secrets": secrets.token_hex(),
        "random-uuid": str(uuid.uuid4()),
        "random-uuid1": uuid.uuid1().clock_seq,
        "random-urandom": os.urandom(16).hex(),
        "random-openssl": ssl.RAND_bytes(16).hex(),
        "random-tempfile": os.path.basename(tempfile.mkstemp()[1]),
        "random-credentials": os.environ["AWS_SECRET_ACCESS_KEY"] + os.environ["AWS_SESSION_TOKEN"],
    }
    while time.time() < until:
        time.sleep(0.01)  # noqa: TID251 - so that no other call gets this environment
    return {**drawn, "hash": hash("text"), "bits": sys.hash_info.width}
