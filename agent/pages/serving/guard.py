"""Checks every request before anything else reads it, and adds security headers to every answer.

A page on the internet can make a browser send requests to 127.0.0.1, also under a name of its own (DNS rebinding).
Therefore the Host header must name this server, and a request that changes something must come from one of its pages
(the Origin header) and know the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.pages.rendering import policy

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make browsers send "Origin: null" with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Gate:
    """Where the server listens, and the token that it asks for; "" where it asks for none."""

    host: str
    port: int
    token: str
    closed: bool  # reading needs the token too: others can reach the address

    @property
    def cookie(self) -> str:
        """The name of the cookie. It contains the port, because servers on other ports see the same cookies."""
        return f"runner-{self.port}"

    def knows(self, headers: Headers) -> bool:
        """Whether a request carries the token in its cookie."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return bool(self.token) and found is not None and self.fits(found.value)

    def fits(self, given: str) -> bool:
        """Whether this is the token. The comparison takes equally long wherever the texts differ."""
        return bool(self.token) and hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name, _, port = host.rpartition(":")
        if port != str(self.port):
            return False
        name = name.strip("[]").lower()
        if name in ("localhost", "127.0.0.1", "::1", self.host.lower()):
            return True
        if not self.closed:
            return False
        try:  # other machines may name it by its address or by its host name, but not by another domain
            ipaddress.ip_address(name)
        except ValueError:
            return name == socket.gethostname().lower()
        return True


class Guard:
    """An ASGI application around the site: refuses requests that `Gate` does not allow, and adds security headers."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers["Content-Security-Policy"] = policy(served=True)
            await send(message)

        answer = self._refusal(scope)
        await (answer or self.app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.gate.is_ours(hosts[0]):
            return PlainTextResponse("this server does not have that name\n", 421)
        if given := parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token"):
            return self._let_in(scope, given[0])
        if self.gate.closed and not self.gate.knows(headers):
            return PlainTextResponse("open the address that the server printed: it holds a token\n", 403)
        if scope["method"] == "POST" and headers.get("origin") != f"http://{hosts[0]}":
            return PlainTextResponse("this request did not come from a page of this server\n", 403)
        return None

    def _let_in(self, scope: Scope, given: str) -> ASGIApp:
        """Store the token of the address in a cookie and redirect to the address without it, so that no link shows
        it."""
        if not self.gate.fits(given):
            return PlainTextResponse("this is not the token of this server\n", 403)
        answer = RedirectResponse(scope["path"], 303)
        answer.set_cookie(self.gate.cookie, self.gate.token, httponly=True, samesite="strict")
        return answer
