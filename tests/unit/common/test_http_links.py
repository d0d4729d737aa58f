from __future__ import annotations

import time
from unittest import mock

import httpx
import pytest

from jobs.common.http import get, linked_pages


def upstream(*answers):
    """Return a client whose upstream gives these answers in turn, and the list of what was asked."""
    asked, left = [], list(answers)

    def answer(request):
        asked.append(str(request.url))
        return left.pop(0)

    return httpx.Client(base_url="http://upstream/app", transport=httpx.MockTransport(answer)), asked


def page(results, following):
    return httpx.Response(200, json={"results": results, "next": following})


def test_pages_are_followed_by_their_addresses_with_what_was_asked_in_them():
    client, asked = upstream(page([1, 2], "http://upstream/app/items?since=5&offset=2"), page([3], None))

    assert list(linked_pages(client, "/items", since=5)) == [1, 2, 3]
    assert asked == ["http://upstream/app/items?since=5", "http://upstream/app/items?since=5&offset=2"]


@pytest.mark.parametrize(
    "following",
    ["http://upstream/app/items", "http://elsewhere/items?offset=2"],
    ids=["in a circle", "to a host that our credentials are not for"],
)
def test_a_page_that_leads_astray_is_an_error(following):
    client, asked = upstream(page([1], following))

    with pytest.raises(ValueError, match="in a circle, or away"):
        list(linked_pages(client, "/items"))
    assert len(asked) == 1


@pytest.mark.parametrize(("header", "pause"), [("7", 7.0), ("3600", 30.0), ("soon", 0.5)])
def test_an_upstream_that_says_when_is_asked_then(header, pause):
    client, _ = upstream(httpx.Response(429, headers={"Retry-After": header}), httpx.Response(200))

    with mock.patch.object(time, "sleep", autospec=True) as slept:
        get(client, "/items", pause=0.5)

    slept.assert_called_once_with(pause)
