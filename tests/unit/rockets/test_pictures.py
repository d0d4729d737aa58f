from __future__ import annotations

import json
from datetime import date

import httpx
import pytest

from environments.sources.rockets import RocketSource, picture
from environments.sources.rockets_oracle import expected
from jobs.rockets.pictures import HostsDown, Picture, Problem, fetch, fetch_all

DAY = date(2026, 1, 1)
MEDIA = "http://library/media"
SOURCE = RocketSource(launches=60)


def hosts(request):
    """Answer as the hosts of the pictures do."""
    if request.url.host != "library":
        raise httpx.ConnectError("refused", request=request)
    if "/missing/" in request.url.path:
        return httpx.Response(404, json={"detail": "Not found."})
    if "/page/" in request.url.path:
        return httpx.Response(200, text="<html>", headers={"Content-Type": "text/html"})
    return httpx.Response(200, content=picture(request.url.path), headers={"Content-Type": "image/jpeg"})


@pytest.fixture
def client():
    return httpx.Client(transport=httpx.MockTransport(hosts))


def launch(image, launch_id="l-1"):
    return {"id": launch_id, "image": image}


def must_be_the_pictures(found):
    """Compare with the oracle: every launch's own picture, and nothing that is none."""
    assert found == expected(SOURCE, DAY).pictures


def test_a_day_of_launches_gives_the_pictures_and_problems_of_the_oracle(client):
    pictures, problems = fetch_all(client, SOURCE.day(DAY, MEDIA), pause=0)

    must_be_the_pictures({one.key: one.content for one in pictures})
    assert {one.launch: one.reason for one in problems} == expected(SOURCE, DAY).problems


@pytest.mark.parametrize(
    ("image", "reason", "passing"),
    [
        pytest.param(None, "no picture", False, id="null"),
        pytest.param("media.example/x.jpg", "bad address", False, id="no scheme"),
        pytest.param("http://", "bad address", False, id="no host"),
        pytest.param("ftp://library/x.jpg", "bad address", False, id="another protocol"),
        pytest.param("http://library:eighty/x.jpg", "bad address", False, id="no address at all"),
        pytest.param("http://elsewhere/x.jpg", "unreachable", True, id="refused"),
        pytest.param(f"{MEDIA}/missing/x.jpg", "answer 404", False, id="not there"),
        pytest.param(f"{MEDIA}/page/x.jpg", "not an image", False, id="a page"),
    ],
)
def test_a_launch_without_a_usable_picture_is_noted_with_the_reason(image, reason, passing, client):
    assert fetch(client, launch(image), pause=0) == Problem("l-1", reason, passing)


def test_the_name_of_a_picture_is_the_last_part_of_its_address(client):
    found = fetch(client, launch(f"{MEDIA}/a/Electron.jpg_1440.jpg?size=1"), pause=0)

    assert found == Picture("l-1/Electron.jpg_1440.jpg", picture("/media/a/Electron.jpg_1440.jpg"))


def test_a_bad_address_is_not_asked_below_the_libraries_own():
    asked = []
    client = httpx.Client(base_url="http://library", transport=httpx.MockTransport(asked.append))

    fetch(client, launch("media.example/x.jpg"), pause=0)

    assert asked == []


@pytest.mark.parametrize(("down", "outage"), [(2, False), (3, True)])
def test_it_is_an_outage_when_more_than_half_of_the_addresses_do_not_answer(down, outage, client):
    launches = [launch(f"http://elsewhere/{n}.jpg", f"d-{n}") for n in range(down)]
    launches += [launch(f"{MEDIA}/{n}.jpg", f"u-{n}") for n in range(2)]

    if outage:
        with pytest.raises(HostsDown, match="3 of 5 pictures could not be fetched: unreachable"):
            fetch_all(client, launches, pause=0)
    else:
        assert len(fetch_all(client, launches, pause=0)[0]) == 2


def test_a_day_of_bad_addresses_alone_is_no_outage(client):
    assert fetch_all(client, [launch(None), launch("x.jpg")], pause=0)[0] == []


def printed_version(client, launches, *, checked=True, by_launch=True):
    """Fetch as the printed listing does: no look at the status, one folder for all, each error caught and forgotten."""
    found = {}
    for one in launches:
        try:
            answer = client.get(one["image"])
        except (httpx.UnsupportedProtocol, httpx.ConnectError, TypeError):
            continue
        if checked and (answer.is_error or not answer.headers["content-type"].startswith("image/")):
            continue
        name = one["image"].split("/")[-1]
        found[f"{one['id']}/{name}" if by_launch else name] = answer.content
    return found


@pytest.mark.parametrize(
    "mistake",
    [pytest.param({"checked": False}, id="status not checked"), pytest.param({"by_launch": False}, id="one basename")],
)
def test_the_printed_version_would_keep_error_pages_and_overwrite_pictures(mistake, client):
    launches = SOURCE.day(DAY, MEDIA)
    must_be_the_pictures(printed_version(client, launches))

    with pytest.raises(AssertionError):
        must_be_the_pictures(printed_version(client, launches, **mistake))


def test_the_printed_version_would_call_an_outage_a_day_without_pictures():
    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    client = httpx.Client(transport=httpx.MockTransport(refuse))
    launches = [launch(f"{MEDIA}/{n}.jpg") for n in range(3)]

    with pytest.raises(HostsDown):
        fetch_all(client, launches, pause=0)
    assert printed_version(client, launches) == {}


def test_the_source_is_the_same_whoever_asks_and_has_the_stated_defects():
    assert SOURCE.day(DAY, MEDIA) == RocketSource(launches=60).day(DAY, MEDIA)
    assert expected(SOURCE, DAY).reasons == {
        "no picture": 6,
        "bad address": 4,
        "unreachable": 4,
        "answer 404": 4,
        "not an image": 2,
    }
    names = [key.partition("/")[2] for key in expected(SOURCE, DAY).pictures]
    assert len(names) == 40
    assert len(set(names)) < len(names)
    assert json.dumps(SOURCE.day(DAY, MEDIA)) != json.dumps(RocketSource(seed=43, launches=60).day(DAY, MEDIA))
