"""A browser without a screen: cookies, redirects, forms. It sends what browsers send (Origin, Sec-Fetch-Site).

`apps` are ASGI applications by origin; every other address is called for real, on loopback. A redirect to an
address that `stops` names is not followed: the page says where it would have gone.
"""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_HOPS = 20


class Page:
    """What the browser shows: where it is, and what stands there."""

    def __init__(self, answer: httpx.Response, *, stopped_at: str = "") -> None:
        self.url = str(answer.url)
        self.status = answer.status_code
        self.headers = answer.headers
        self.text = answer.text
        self.stopped_at = stopped_at
        self.forms = _Forms(self.text).found

    @property
    def path(self) -> str:
        """The address without its host and query."""
        return urlsplit(self.url).path


class Browser:
    """One person's browser."""

    def __init__(
        self,
        *,
        apps: Mapping[str, Any] | None = None,
        stops: tuple[str, ...] = (),
        address: str = "192.0.2.9",
    ) -> None:
        self._apps = dict(apps or {})
        self._stops = stops
        self._address = address
        self._jar: httpx.Cookies = httpx.Cookies()
        self.seen: list[str] = []

    def cookie(self, name: str) -> str:
        """Return a cookie's value, "" where there is none."""
        return next((one.value or "" for one in self._jar.jar if one.name == name), "")

    def forget(self, name: str) -> None:
        """Lose a cookie."""
        for one in list(self._jar.jar):
            if one.name == name:
                self._jar.jar.clear(one.domain, one.path, one.name)

    def open(self, url: str) -> Page:
        """Follow a link."""
        return asyncio.run(self._go("GET", url, None, {}))

    def submit(
        self, page: Page, *, form: int = 0, headers: Mapping[str, str] | None = None, **fields: str
    ) -> Page:
        """Send one of a page's forms, with `fields` filled in."""
        target, method, hidden = page.forms[form]
        url = urljoin(page.url, target)
        if method == "get":
            return self.open(f"{url}?{urlencode({**hidden, **fields})}")
        parts = urlsplit(page.url)
        sent = {
            "origin": f"{parts.scheme}://{parts.netloc}",
            "sec-fetch-site": "same-origin",
            **(headers or {}),
        }
        return self.post(url, {**hidden, **fields}, headers=sent)

    def post(self, url: str, fields: Mapping[str, str], *, headers: Mapping[str, str]) -> Page:
        """Send a form from wherever `headers` say."""
        return asyncio.run(self._go("POST", url, urlencode(dict(fields)), dict(headers)))

    def sign_in_at(self, page: Page, login: str) -> Page:
        """Walk the pages of the real provider: name, any password, and yes to what it asks then."""
        while any(f'name="{field}"' in page.text for field in ("login", "prompt", "logout")):
            asked = 'name="login"' in page.text
            page = self.submit(page, login=login, password="x") if asked else self.submit(page)
        return page

    async def _go(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> Page:
        mounts = {
            origin: httpx.ASGITransport(app=app, client=(self._address, 40_000))
            for origin, app in self._apps.items()
        }
        async with httpx.AsyncClient(mounts=mounts, cookies=self._jar, trust_env=False, timeout=30) as client:
            if body is not None:
                headers["content-type"] = "application/x-www-form-urlencoded"
            for _ in range(_MOST_HOPS):
                self.seen.append(f"{method} {url}")
                sent = {"accept": "text/html", **headers}
                answer = await client.request(method, url, content=body, headers=sent)
                self._jar = client.cookies
                if answer.status_code not in (301, 302, 303, 307):
                    return Page(answer)
                url = urljoin(url, answer.headers["location"])
                if url.startswith(self._stops) if self._stops else False:
                    return Page(answer, stopped_at=url)
                method, body, headers = "GET", None, {}
        raise AssertionError(f"too many redirects: {self.seen[-3:]}")


class _Forms(HTMLParser):
    """The forms of a page: address, method, and what their hidden fields hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or a hidden field of the last one."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("action", ""), given.get("method", "get").lower(), {}))
        elif tag == "input" and given.get("type") == "hidden" and self.found:
            self.found[-1][2][given["name"]] = given.get("value", "")
