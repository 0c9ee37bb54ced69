"""An OpenID Connect provider: keys made here, tokens signed with them, a JWKS address on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://login.example.test/tenant/v2.0"
AUDIENCE = "api://plura-tx"


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key per name, created once per process."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: PrivateKeyTypes, kid: str, **more: Any) -> dict[str, Any]:
    """Return the public part of a key as the provider publishes it."""
    if isinstance(key, rsa.RSAPrivateKey):
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", **more}


def jwks(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a valid token; a change to None removes the claim."""
    now = int(time.time())
    valid = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": now + 600,
        "iat": now,
        "oid": "0f-admin",
        "sub": "s-admin",
        "roles": ["ADMIN_READ"],
    }
    return {name: value for name, value in (valid | changed).items() if value is not None}


def token(
    content: dict[str, Any] | None = None,
    *,
    key: Any = None,
    kid: str | None = "k1",
    algorithm: str = "RS256",
    headers: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    """Return a signed token, by default a valid one."""
    head = {**({"kid": kid} if kid is not None else {}), **(headers or {})}
    return jwt.encode(content or claims(**changed), key or rsa_key("k1"), algorithm=algorithm, headers=head)


@dataclass(kw_only=True)
class Provider:
    """A server of key sets; ``document`` and ``status`` may be changed while it runs."""

    document: dict[str, Any]
    status: int = 200
    requests: int = 0
    delay: float = 0
    port: int = 0
    token_claims: dict[str, Any] = field(default_factory=dict)
    """Claims of the tokens of browser sign-ins, on top of the default claims."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks"

    def answer(self) -> tuple[int, bytes]:
        with self._lock:
            self.requests += 1
        time.sleep(self.delay)
        return self.status, json.dumps(self.document).encode()

    def authorize(self, query: dict[str, str]) -> str:
        """Sign in without a form, and return the redirect address with the code."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        joint = "&" if "?" in query["redirect_uri"] else "?"
        return f"{query['redirect_uri']}{joint}{urlencode({'code': code, 'state': query['state']})}"

    def exchange_code(self, form: dict[str, str]) -> tuple[int, bytes]:
        """Return a token for a code, once, if the request has the verifier of its challenge."""
        self.token_requests.append(form)
        begun = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            begun is None
            or form["grant_type"] != "authorization_code"
            or challenge != begun["code_challenge"]
            or form["redirect_uri"] != begun["redirect_uri"]
            or form["client_id"] != begun["client_id"]
        ):
            return 400, b'{"error": "invalid_grant"}'
        return 200, json.dumps({"access_token": token(**self.token_claims), "token_type": "Bearer"}).encode()


@contextmanager
def provider(document: dict[str, Any] | None = None) -> Iterator[Provider]:
    """Serve keys on a free port until the block ends."""
    served = Provider(document=document or jwks(jwk(rsa_key("k1"), "k1")))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", served.authorize(dict(parse_qsl(url.query))))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer(*served.answer())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(*served.exchange_code(dict(parse_qsl(body.decode()))))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
