"""Whether `NAME=value` gives a secret away: by the words of the name, and what the value is."""

from __future__ import annotations

import itertools
import re

# how a word of a name ends: "PGPASSWORD", "npm_token", "apikey"
_SECRET = re.compile(
    r"(?:password|passwd|passphrase|passcode|secret|token|credential|apikey|secretkey|accesskey"
    r"|privatekey)s?$"
)
# "PWD" alone is the folder that a shell is in
_SHORT = {"pass", "pwd", "pw"}
# a key of this kind opens something; GPG_KEY, PUBLIC_KEY and PRIMARY_KEY do not
_KEYS = {
    "access", "account", "aes", "api", "auth", "cookie", "crypto", "decryption", "deploy",
    "encryption", "fernet", "hmac", "host", "jwt", "license", "master", "private", "root",
    "secret", "session", "shared", "signing", "ssh", "storage", "webhook",
}  # fmt: skip
# what stands last in a name that says something about a secret
_ABOUT = {
    "age", "algorithm", "algorithms", "bytes", "command", "count", "dir", "directory", "enabled",
    "endpoint", "expire", "expires", "expiry", "file", "files", "folder", "format", "header",
    "id", "issuer", "length", "lifetime", "limit", "location", "max", "min", "mode", "name",
    "names", "path", "paths", "policy", "prefix", "provider", "required", "rotation", "seconds",
    "size", "timeout", "ttl", "type", "uri", "url", "version",
}  # fmt: skip
_SWITCH = re.compile(r"(?i:true|false|yes|no|on|off|none|null|0|1)$")
# a variable or a command of the shell, or several, and what then ends the word
_VARIABLE = re.compile(r"(?:\$\w+|\$\{[^}]*\})+[;,)&|]*$|\$\(|`|\$\{")
# of hier(7) and of where secrets are mounted; in base64 "/" may stand first, too
_PATH = re.compile(
    r"/(?:app|bin|data|dev|etc|home|lib|media|mnt|opt|proc|root|run|secrets|srv|sys|tmp|usr|var"
    r"|vault)(?:/[\w.@+-]+)+/?$"
)


def names_secret(name: str) -> bool:
    """Say whether a variable of that name holds a secret: "DJANGO_SECRET_KEY", not "GPG_KEY"."""
    words = [word for word in re.split(r"[_.-]+", name.lower()) if word]
    if not words or words[-1] in _ABOUT or words == ["pwd"]:
        return False
    pairs = itertools.pairwise(words)
    return any(_SECRET.search(word) or word in _SHORT for word in words) or any(
        before in _KEYS and after in ("key", "keys") for before, after in pairs
    )


def is_secret(name: str, value: str) -> bool:
    """Say whether `name` holds a secret and `value` is one: no path, variable or switch.

    How many tokens a model may use is a number.
    """
    if not names_secret(name) or _VARIABLE.match(value) or _PATH.match(value):
        return False
    amount = value.isdigit() and name.lower().endswith("tokens")
    return not amount and not _SWITCH.match(value)
