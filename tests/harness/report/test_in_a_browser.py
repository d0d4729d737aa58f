from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.report.browser import browser, programs, requested, show, spoken
from tests.harness.report.overview import WIDE, write_page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow  # a browser on a page of two hundred tasks

CONTROLS = "a[href], button, input, select, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    found = programs()
    if found is None:
        pytest.skip(
            "NO BROWSER TEST of the report: chromium or chromedriver is missing (apt-get install chromium-driver)"
        )
    with browser(found, tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("project"))


def texts(chrome: Chrome, selector: str) -> list[str]:
    """Return what a user sees in the elements that are shown."""
    script = (
        "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()).map(e => e.innerText)"
    )
    found: list[str] = chrome.execute_script(script, selector)
    return found


def press(chrome: Chrome, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(chrome, duration=0).send_keys(*keys).perform()


def reached_by_tab(chrome: Chrome, presses: int) -> list[str]:
    """Return what has the focus after each Tab from the top of the page, as tags."""
    from selenium.webdriver import Keys

    chrome.execute_script(
        "window.met = []; addEventListener('focusin', e => window.met.push(e.target)); document.activeElement.blur()"
    )
    for _ in range(0, presses, 100):
        press(chrome, Keys.TAB * 100)
    script = f"return [...document.querySelectorAll({CONTROLS!r})].filter(e => e.checkVisibility() && !met.includes(e))"
    return [element.get_attribute("outerHTML")[:200] for element in chrome.execute_script(script)]


def test_the_page_is_small(report: Path) -> None:
    assert report.stat().st_size < 2_000_000


def test_nothing_but_the_file_is_requested_and_the_console_is_silent(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    asked = requested(chrome)

    assert asked[0] == report.as_uri()
    assert [url for url in asked[1:] if not url.startswith("data:")] == []
    assert chrome.get_log("browser") == []


def test_what_must_be_found_on_the_page_is_shown(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    (shown,) = texts(chrome, "main")

    for words in (
        "failed: integrity",
        "passed",
        "DAG801 acc has no connection 'partner'",
        "pool wide: extra; allowed: acceptance has one pool for each team",
        "rerun of orders_medallion is refuted",
        "running a date again changes what is there",
        "run 2026-01-02 again",
        "the second run of 2026-01-02 adds 14 rows",
        "column country: 2 rows are not one of NL, DE",
        "Since the last green run: publish: success → failed; audit: success → upstream_failed",
        "lake/gold/daily_revenue: 14 rows added",
        "release-manager",
        "5 subjects",
    ):
        assert words in shown


def test_a_log_opens_by_keyboard_and_is_text(chrome: Chrome, report: Path) -> None:
    from selenium.webdriver import Keys

    show(chrome, report)
    assert texts(chrome, "pre") == []
    summary = "[...document.querySelectorAll('summary')].find(e => e.innerText === 'log')"
    chrome.execute_script(f"{summary}.focus()")
    press(chrome, Keys.ENTER)
    (log,) = texts(chrome, "pre")

    assert "ValueError: <b>no rows</b> & nothing to publish" in log
    assert "row 89 of daily_revenue" in log
    press(chrome, Keys.SPACE)
    assert texts(chrome, "pre") == []


@pytest.mark.parametrize("key", ["ENTER", "SPACE"])
def test_the_section_of_a_run_closes_and_opens_by_key(chrome: Chrome, report: Path, key: str) -> None:
    from selenium.webdriver import Keys

    show(chrome, report)
    opened = [texts(chrome, "#dag-regions table") != []]
    chrome.execute_script("document.querySelector('#dag-regions summary').focus()")
    for _ in range(2):
        press(chrome, getattr(Keys, key))
        opened.append(texts(chrome, "#dag-regions table") != [])

    assert opened == [True, False, True]


def test_every_control_of_the_opened_page_is_reached_by_tab(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    closed = len(texts(chrome, CONTROLS))
    chrome.execute_script("document.querySelectorAll('details').forEach(e => { e.open = true })")
    count = len(texts(chrome, CONTROLS))

    assert count > closed > 2 * WIDE
    assert reached_by_tab(chrome, count + 100) == []


def test_what_has_the_focus_is_outlined(chrome: Chrome, report: Path) -> None:
    from selenium.webdriver import Keys

    show(chrome, report)
    press(chrome, Keys.TAB)
    outline = chrome.execute_script(
        "const style = getComputedStyle(document.activeElement); return [style.outlineStyle, style.outlineWidth]"
    )

    assert chrome.execute_script("return document.activeElement.id") == "theme"
    assert outline == ["solid", "2px"]


def colours(chrome: Chrome) -> tuple[str, str]:
    script = "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
    background, ink = chrome.execute_script(script)
    return background, ink


def test_the_page_is_dark_where_the_user_prefers_dark(chrome: Chrome, report: Path) -> None:
    show(chrome, report, theme="light")
    light = colours(chrome)
    show(chrome, report, theme="dark")
    dark = colours(chrome)

    assert light == ("rgb(255, 255, 255)", "rgb(27, 31, 36)")
    assert dark == ("rgb(13, 17, 23)", "rgb(230, 237, 243)")


def test_the_button_turns_the_colours_over(chrome: Chrome, report: Path) -> None:
    from selenium.webdriver import Keys

    show(chrome, report, theme="dark")
    dark = colours(chrome)
    press(chrome, Keys.TAB, Keys.ENTER)

    assert colours(chrome) != dark
    press(chrome, Keys.ENTER)
    assert colours(chrome) == dark


LUMINANCE = """
const parts = rgb => rgb.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const light = rgb => { const [r, g, b] = parts(rgb); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const under = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
const seen = {};
for (const e of document.querySelectorAll('body *')) {
  if (!e.checkVisibility() || e.closest('svg')) continue;
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  const [a, b] = [light(getComputedStyle(e).color), light(under(e))].sort((x, y) => y - x);
  seen[`${e.tagName}.${e.className}`] = (a + 0.05) / (b + 0.05);
}
return seen;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(chrome: Chrome, report: Path, theme: str) -> None:
    show(chrome, report, theme=theme)
    contrast: dict[str, float] = chrome.execute_script(LUMINANCE)

    assert len(contrast) > 10
    assert {name: ratio for name, ratio in contrast.items() if ratio < 4.5} == {}  # WCAG 2.2, 1.4.3


def test_headings_go_down_one_level_at_a_time(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    levels = chrome.execute_script("return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(e => +e.tagName[1])")

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert [(a, b) for a, b in itertools.pairwise(levels) if b > a + 1] == []


def test_a_screen_reader_is_told_the_parts_of_the_page(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    told = spoken(chrome)
    names: dict[str, list[str]] = {}
    for role, name in told:
        names.setdefault(role, []).append(name)

    assert {role: len(names[role]) for role in ("banner", "main")} == {"banner": 1, "main": 1}
    assert names["navigation"] == ["Filter tasks"]
    assert (names["searchbox"], names["combobox"], names["button"]) == (["Filter by name"], ["State"], ["Light / dark"])
    assert names["table"] == [
        "Stages",
        "Requirements",
        "DAGs",
        "Proofs",
        "Tasks of orders_medallion",
        "Tasks of regions",
    ]
    assert [
        name for role in ("region", "link", "image", "heading", "columnheader") for name in names[role] if not name
    ] == []
    assert any(name.startswith("Graph of regions 200 tasks and 199 edges") for name in names["image"])


def test_every_table_has_headers_with_a_scope(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    bad: list[Any] = chrome.execute_script("""
        return [...document.querySelectorAll('table')].filter(table =>
          [...table.tHead.rows[0].cells].some(cell => !cell.matches('th[scope=col]') || !cell.textContent)
          || [...table.tBodies[0].rows].some(row => !row.cells[0].matches('th[scope=row]'))
        ).map(table => table.ariaLabel)""")

    assert bad == []
    assert chrome.execute_script("return document.documentElement.lang") == "en"


def test_a_graph_has_a_title_a_description_and_a_mark_besides_the_colour(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    script = (
        "return [...document.querySelectorAll('svg')].map(e => [...e.children].slice(0, 2).map(c => c.textContent))"
    )
    titles = [title for title, _ in chrome.execute_script(script)]
    marks = chrome.execute_script("return [...document.querySelectorAll('svg g.failed text')].map(e => e.textContent)")

    assert titles == ["Graph of orders_medallion", "Graph of regions"]
    assert marks == ["✗ publish"]


def test_filters_leave_the_tasks_that_fit(chrome: Chrome, report: Path) -> None:
    from selenium.webdriver import Keys
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    show(chrome, report)
    assert texts(chrome, "#count") == [f"{WIDE + 6} of {WIDE + 6} tasks"]
    Select(chrome.find_element(By.ID, "state")).select_by_visible_text("failed")
    assert [text.split()[0] for text in texts(chrome, "tr.row")] == ["publish"]
    assert len(texts(chrome, "section.dag")) == 1
    Select(chrome.find_element(By.ID, "state")).select_by_visible_text("all")
    chrome.find_element(By.ID, "filter").send_keys("region_19")
    assert texts(chrome, "#count") == [f"10 of {WIDE + 6} tasks"]
    chrome.find_element(By.ID, "filter").send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    assert texts(chrome, "#count") == [f"{WIDE + 6} of {WIDE + 6} tasks"]


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_never_wider_than_the_window(chrome: Chrome, report: Path, width: int) -> None:
    show(chrome, report, width=width)
    chrome.execute_script("document.querySelectorAll('details').forEach(e => { e.open = true })")

    assert chrome.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]


def test_on_a_narrow_screen_all_is_large_enough_and_within_reach(chrome: Chrome, report: Path) -> None:
    show(chrome, report, width=400)
    chrome.execute_script("document.querySelectorAll('details').forEach(e => { e.open = true })")
    small, cut = chrome.execute_script("""
        const shown = [...document.querySelectorAll('main *')].filter(e => e.checkVisibility());
        const text = shown.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
        return [text.filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length,
          text.filter(e => e.getBoundingClientRect().right > 400 && !e.closest('.scroll, pre'))
            .map(e => e.outerHTML.slice(0, 120))];""")

    assert (small, cut) == (0, [])


def test_the_page_prints_without_its_tools(chrome: Chrome, report: Path) -> None:
    show(chrome, report)
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert texts(chrome, "nav, #theme") == []
    finally:
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
