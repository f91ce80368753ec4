"""The status page in a browser: it shows what /status.json says and goes on doing so by itself, whatever the width, the
colours, and what came from outside. Screenshots of it are kept in WEIR_TEST_SCREENSHOTS (build/release/screenshots)."""
# ctest: timeout=600

import contextlib
import http.client
import json
import os
import re
import threading
from pathlib import Path

import pytest

from browser import Browser, Missing
from harness import REQUEST_DEADLINE, Component, Expired, write_application
from reloads import REFUSED as RELOAD_REFUSED
from reloads import Versions, reload

WIDTHS = {"desktop": 1280, "phone": 360}
SCHEMES = ("light", "dark")

# Markup wherever a manifest takes words.
MARKUP = "<img src=x onerror=\"document.title='broken into'\"><b>bold</b>"
LONG_ROUTE = "/" + "wide" * 40
TARGETS = ("/request/a?b=c", "/environment", "/request/d", "/boom/trap", "/slow/60")

MAIN_SHOWN = "return !document.getElementById('main').hidden && document.body.dataset.link === 'live'"
REFUSED = re.compile(r"status\.json - Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE)")


# ---- A browser and a server -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    try:
        with Browser(tmp_path_factory.mktemp("browser")) as opened:
            yield opened
    except Missing as reason:
        if os.environ.get("WEIR_TEST_BROWSER") == "required":
            pytest.fail(f"a browser is required here: {reason}")
        pytest.skip(str(reason))


@pytest.fixture
def browser(chromium):
    """A blank page on a desktop; what it says to the console is not to be passed over."""
    chromium.resize(WIDTHS["desktop"])
    chromium.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
    chromium.open("about:blank")
    chromium.messages()
    return chromium


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory):
    directory = os.environ.get("WEIR_TEST_SCREENSHOTS")
    path = Path(directory) if directory else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def shop(guest, tmp_path):
    """An application with a guest that is fast, one that is slow, one that traps, and one of WAGI."""
    components = [
        Component("request", "/request/...", guest("http_request"), description=MARKUP),
        Component("request", f"/{MARKUP}", guest("http_request")),
        Component("request", LONG_ROUTE, guest("http_request")),
        Component("boom", "/boom/...", guest("http_fail")),
        Component("slow", "/slow/...", guest("http_wait")),
        Component("environment", "/environment", guest("wagi_environment"), wagi=True),
        Component("never-asked", "/never-asked", guest("http_respond")),
    ]
    return write_application(tmp_path / "shop", components, name=f"shop {MARKUP}")


class Admin:
    """The admin listener of a server."""

    def __init__(self, server):
        found = server.stderr.wait_for(r"status, metrics and health on (http://(127\.0\.0\.1):(\d+))")
        self.url, self.host, self.port = found[1], found[2], int(found[3])

    @property
    def page(self):
        return f"{self.url}/status"

    def get(self, target, **headers):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=REQUEST_DEADLINE)
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def status(self):
        response, body = self.get("/status.json")
        assert response.status == 200
        return json.loads(body)


@pytest.fixture
def start(serve, weir, shop):
    def start(*options, admin="127.0.0.1:0", **more):
        server = serve(weir, shop, "--quiet", "--admin", admin, *options, **more)
        return server, Admin(server)

    return start


@contextlib.contextmanager
def traffic(server, targets=TARGETS, clients=3):
    """Clients that ask for each of the targets in turn, on and on, until the end of the block."""
    over = threading.Event()
    failures = []

    def work():
        connection = server.connection()
        try:
            while not over.is_set():
                for target in targets:
                    connection.request("GET", target)
                    connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(REQUEST_DEADLINE)
    assert not failures, failures


def show(browser, admin):
    browser.open(admin.page)
    browser.wait_for(MAIN_SHOWN)


# ---- What a person reads --------------------------------------------------------------------------------------------

# The number in the cell of a component
CELL = """
    for (const row of document.querySelectorAll('#components tr'))
        if (row.firstChild.textContent === arguments[0])
            return row.querySelector('.' + arguments[1]).textContent;
    return null;"""

COUNTED = f"""
    const cell = (function () {{ {CELL} }})(...arguments);
    return cell !== null && Number(cell.replace(/,/g, '')) >= arguments[2] ? cell : null;"""


# What stands in the list on the process, beside a name
ABOUT = """
    return [...document.querySelectorAll('#about dt')].find(name => name.textContent === arguments[0])
        .nextSibling.textContent;"""


def read(browser, script, *arguments):
    """A text, in which the spaces that end no line are like all others."""
    return browser.run(script, *arguments).replace("\u00a0", " ")


def number(text):
    return float(text.replace(",", ""))


def wait_for_count(browser, component, least, column="requests"):
    """The text of that cell once it is at least so much."""
    return browser.wait_for(COUNTED, component, column, least)


TIERS = {"standard": "standard pool", "compact": "compact pool", "ondemand": "on demand"}


@pytest.mark.parametrize("allocator", ["auto", "compact", "ondemand"])
def test_the_page_tells_the_allocator_that_there_is_and_why(browser, start, allocator):
    _, admin = start(environment={"SPIN_ALLOCATOR": allocator})
    show(browser, admin)
    said = admin.status()["allocator"]
    if allocator != "auto":
        assert said["tier"] == allocator
    headline = browser.run("return document.getElementById('tier').textContent").lower()
    assert TIERS[said["tier"]] in headline and headline in said["summary"].lower()
    reasons = browser.run("return document.getElementById('reasons').textContent").lower()
    assert said["reasons"] and all(reason.lower() in reasons for reason in said["reasons"])
    assert browser.messages() == []


@pytest.mark.parametrize("slots", [1, 10, 700, 10_000])
def test_the_picture_of_the_pool_shows_its_slots_however_many(browser, start, slots):
    _, admin = start("--max-concurrency", slots)
    show(browser, admin)
    (pool,) = admin.status()["allocator"]["pool"]
    assert number(browser.run("return document.querySelector('.pool .level [data-part=max] b').textContent")) == pool["max"]
    cells = browser.run("return document.querySelector('.pool svg .free').getAttribute('d').split('M').length - 1")
    each = number(browser.run("return document.querySelector('.pool .scale').dataset.slots"))
    assert 1 <= cells <= 400
    assert (cells - 1) * each < pool["max"] <= cells * each
    box = browser.run("const box = document.querySelector('.pool svg').getBoundingClientRect(); return [box.width, box.height]")
    assert 0 < box[0] <= WIDTHS["desktop"] and 0 < box[1] <= 400


def test_counts_rise_by_themselves_and_nothing_jumps(browser, start):
    server, admin = start()
    show(browser, admin)
    browser.run("""
        window.marker = 'the same page';
        window.shifted = 0;
        new PerformanceObserver(list => list.getEntries().forEach(entry => (window.shifted += entry.value)))
            .observe({type: 'layout-shift'});""")
    with traffic(server):
        seen = number(wait_for_count(browser, "request", 1))
        for _ in range(3):
            seen = number(wait_for_count(browser, "request", seen + 1))
        browser.wait_for("return document.querySelector('#requests .line').getAttribute('d').length > 20")
        wait_for_count(browser, "boom", 3)
    assert browser.run("return window.marker") == "the same page"
    assert browser.run("return window.shifted") < 0.1, "https://web.dev/articles/cls calls this good"
    assert browser.messages() == []


def test_what_it_shows_in_the_end_is_what_was_asked(browser, start):
    """No more and no less, by component, status and trouble."""
    server, admin = start()
    show(browser, admin)
    for target, times in {"/request/a": 7, "/slow/1": 3, "/boom/trap": 2}.items():
        for _ in range(times):
            server.get(target)
    assert wait_for_count(browser, "request", 7) == "7"
    assert wait_for_count(browser, "slow", 3) == "3"
    assert wait_for_count(browser, "boom", 2) == "2"
    assert browser.run(CELL, "never-asked", "requests") == "0"
    assert read(browser, CELL, "boom", "answers") == "5xx 2"
    assert read(browser, CELL, "request", "answers") == "2xx 7"
    assert read(browser, CELL, "boom", "trouble") == "2 traps"
    assert read(browser, CELL, "request", "trouble") == "none"
    checks = read(browser, "return document.getElementById('checks').textContent")
    assert "boom: 2 traps in the last minute" in checks and "2 of 12 failed in the last minute" in checks


def test_it_tells_what_confines_the_process(browser, start):
    for options in ((), ("--no-sandbox",)):
        _, admin = start(*options)
        show(browser, admin)
        told = admin.status()["sandbox"]
        wanted = [name for name in ("seccomp", "no_new_privs") if told[name]]
        row = browser.run(ABOUT, "Confined by")
        assert [name for name in ("seccomp", "no_new_privs") if name in row] == wanted
        assert ("Landlock" in row) == (told["landlock_version"] > 0)
        assert (row == "nothing") == (not wanted and told["landlock_version"] == 0)


@pytest.mark.parametrize("device", WIDTHS)
def test_it_tells_which_components_have_limits_of_their_own(browser, serve, weir, shop, device):
    shop.write_text(
        shop.read_text() + '\n[component.never-asked.tool.weir]\nrequest_timeout = "2m"\nmax_request_body = "1MiB"\n'
    )
    browser.resize(WIDTHS[device])
    show(browser, Admin(serve(weir, shop, "--admin", "127.0.0.1:0")))
    rows = browser.run("""
        return Object.fromEntries([...document.querySelectorAll('#limits div')]
            .map(row => [...row.children].map(cell => cell.textContent)).filter(([name]) => name.includes(':')));""")
    rows = {name: value.replace("\u00a0", " ") for name, value in rows.items()}
    assert rows == {
        "never-asked: request timeout": "2 min 0 s",
        "never-asked: cpu time": "2 min 0 s",
        "never-asked: max request body": "1.00 MiB",
    }
    assert browser.run("return document.scrollingElement.scrollWidth") <= WIDTHS[device]
    assert browser.messages() == []


def test_it_tells_whether_the_last_reload_was_good(browser, serve, weir, guest, tmp_path):
    shown = "const text = document.getElementById('checks').textContent; return text.includes(arguments[0]) ? text : null;"
    versions = Versions(tmp_path / "app", guest)
    server = serve(weir, versions.write("1"), "--admin", "127.0.0.1:0")
    show(browser, Admin(server))
    assert browser.wait_for(shown, "None since the start.")
    versions.path.write_text("nonsense")
    reload(server, RELOAD_REFUSED)
    assert re.search(r"Refused at \d\d:\d\d:\d\d: .*spin\.toml:1:", browser.wait_for(shown, "Refused at"))
    versions.write("2")
    reload(server)
    assert "Refused" not in browser.wait_for(shown, "Done at")


# ---- What came from outside -----------------------------------------------------------------------------------------


def test_markup_in_a_manifest_is_shown_as_the_text_that_it_is(browser, start):
    _, admin = start()
    show(browser, admin)
    assert browser.run("return document.getElementById('name').textContent") == f"shop {MARKUP}"
    routes = browser.run("return [...document.querySelectorAll('#routes code')].map(code => code.textContent)")
    assert f"/{MARKUP}" in routes and LONG_ROUTE in routes
    assert browser.run("return document.querySelectorAll('main img, main b b, h1 *').length") == 0
    assert "broken into" not in browser.run("return document.title").split("shop")[0]
    assert browser.messages() == []


def test_markup_in_every_word_of_the_answer_is_text(browser, start):
    """What no manifest may say either, such as the id of a component, put into the server's answer on its way."""
    _, admin = start()
    browser.devtools("Page.enable")
    script = browser.devtools("Page.addScriptToEvaluateOnNewDocument", source="""
        const markup = '<img src=x onerror="window.hit = 1"><svg onload="window.hit = 1"></svg>';
        const spoil = value => typeof value === 'string' ? (isNaN(Date.parse(value)) ? markup + value : value)
            : Array.isArray(value) ? value.map(spoil)
            : value && typeof value === 'object'
                ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spoil(inner)])) : value;
        const json = Response.prototype.json;
        Response.prototype.json = async function () { return spoil(await json.call(this)); };""")
    try:
        show(browser, admin)
    finally:
        browser.devtools("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
    assert browser.run("return document.querySelector('#components tr').firstChild.textContent").startswith("<img")
    assert browser.run("return document.querySelector('h1').textContent").startswith("<img")
    assert browser.run("return [document.images.length, document.querySelectorAll('[onload], [onerror]').length]") == [0, 0]
    assert browser.run("return window.hit") is None
    assert browser.run("return document.scrollingElement.scrollWidth") <= WIDTHS["desktop"]
    assert browser.messages() == []


def test_the_page_is_one_file_and_its_policy_lets_nothing_else_run(browser, start):
    _, admin = start()
    response, body = admin.get("/status", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert response.status == 200
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    policy = response.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert len(body) < 60 * 1024
    text = body.decode()
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text)
    show(browser, admin)
    asked = browser.run("return [...new Set(performance.getEntriesByType('resource').map(entry => entry.name))]")
    assert asked == [f"{admin.url}/status.json"]
    assert browser.messages() == []
    # That a browser heeds the policy, and that its complaints would have been seen above.
    browser.run("const script = document.createElement('script'); script.textContent = 'window.hit = 1'; document.body.append(script)")
    assert browser.run("return window.hit") is None
    assert any("Content Security Policy" in message for message in browser.messages())


def test_a_program_is_told_the_same_as_json(start):
    _, admin = start()
    for target, accept in (("/status", "application/json"), ("/status.json", "*/*")):
        response, body = admin.get(target, Accept=accept)
        assert response.getheader("Content-Type").startswith("application/json")
        assert json.loads(body)["weir"]["state"] == "serving"


def test_without_javascript_the_page_says_so_and_where_the_same_is(browser, start):
    _, admin = start()
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(admin.page)
        image = browser.devtools("DOM.getDocument", depth=-1)
        text = json.dumps(image)
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
    assert "which is off" in text and '"status.json"' in text


# ---- For everybody, everywhere --------------------------------------------------------------------------------------

# The lowest contrast of text with what is behind it (WCAG 2.2, 1.4.3), and where that is
CONTRAST = """
    const parse = text => {
        const numbers = text.match(/[\\d.]+/g).map(Number);
        return text.startsWith('color(') ? [...numbers.slice(0, 3).map(n => n * 255), numbers[3] ?? 1]
            : [...numbers.slice(0, 3), numbers[3] ?? 1];
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
    const luminance = color => color.slice(0, 3).map(n => n / 255)
        .map(n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4)
        .reduce((sum, n, i) => sum + n * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = node => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
    };
    const ratio = (style, back) => {
        const [a, b] = [luminance(over(parse(style.color), back)), luminance(back)].sort((a, b) => b - a);
        return (a + 0.05) / (b + 0.05);
    };
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(node.tagName)) continue;
        if (!node.checkVisibility() || node.closest('.hide')) continue;
        found.push([ratio(getComputedStyle(node), behind(node)), walk.currentNode.data]);
    }
    for (const node of document.querySelectorAll('[data-label]')) {
        const style = getComputedStyle(node, '::before');
        if (style.content !== 'none') found.push([ratio(style, behind(node)), node.dataset.label]);
    }
    found.sort((a, b) => a[0] - b[0]);
    return [found.length, found[0]];"""


def assert_readable(browser):
    count, (lowest, text) = browser.run(CONTRAST)
    assert count > 60
    assert lowest >= 4.5, f"{text!r} has a contrast of {lowest:.2f}"
    width, window = browser.run("return [document.scrollingElement.scrollWidth, innerWidth]")
    assert width <= window, browser.run("""
        return [...document.querySelectorAll('body *')].filter(node => node.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5).map(node => node.outerHTML.slice(0, 200))""")


@pytest.mark.parametrize("load", ["idle", "loaded"])
def test_it_is_readable_on_desktops_and_phones_in_light_and_dark(browser, start, screenshots, load):
    server, admin = start()
    with traffic(server) if load == "loaded" else contextlib.nullcontext():
        show(browser, admin)
        if load == "loaded":
            wait_for_count(browser, "boom", 12)
        for device, width in WIDTHS.items():
            for scheme in SCHEMES:
                browser.resize(width)
                browser.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
                assert browser.run("return innerWidth") == width
                assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
                assert_readable(browser)
                browser.screenshot(screenshots / f"status-{load}-{device}-{scheme}.png")
    assert browser.messages() == []


def test_light_and_dark_are_two_pictures(browser, start):
    _, admin = start()
    show(browser, admin)
    colours = set()
    for scheme in SCHEMES:
        browser.prefer(prefers_color_scheme=scheme)
        colours.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_the_keyboard_reaches_everything(browser, start):
    _, admin = start()
    show(browser, admin)
    order = []
    for _ in range(40):
        browser.press("Tab")
        where = browser.run("const at = document.activeElement; return at === document.body ? null : at.id || at.className || at.textContent")
        if where is None or where in order:
            break
        order.append(where)
        assert browser.run("""
            const at = document.activeElement;
            return getComputedStyle(at).outlineStyle !== 'none' || at.matches(':not(:focus-visible)');"""), f"{where} shows no focus"
    assert order[:2] == ["skip", "pause"], order
    assert {"look", "order"} <= set(order), order
    browser.run("document.getElementById('pause').focus()")
    browser.press("Enter")
    assert browser.run("return document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    assert browser.run("return document.getElementById('pill').textContent") == "Paused"
    browser.press("Enter")
    browser.wait_for("return document.getElementById('pill').textContent === 'Serving'")


def test_looking_back_tells_of_that_second(browser, start):
    _, admin = start()
    show(browser, admin)
    browser.run("document.getElementById('look').focus()")
    for _ in range(3):
        browser.press("ArrowLeft")
    said = read(browser, "return document.getElementById('moment').textContent")
    assert re.fullmatch(r"\d\d:\d\d:\d\d, 3 s ago", said)
    assert read(browser, "return document.getElementById('look').getAttribute('aria-valuetext')") == said
    assert browser.run("return document.querySelectorAll('.cross[visibility=visible]').length") == 4
    browser.press("End")
    browser.wait_for("return document.getElementById('moment').textContent === 'now'")


# The roles and names that assistive technology gets
def test_everything_has_a_name_for_those_who_hear_the_page(browser, start):
    _, admin = start()
    show(browser, admin)
    nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    named = {"button", "link", "slider", "combobox", "meter", "image", "table", "region"}
    seen = set()
    for node in nodes:
        role = node.get("role", {}).get("value")
        if node.get("ignored") or role not in named:
            continue
        seen.add(role)
        assert node.get("name", {}).get("value"), f"a {role} without a name: {node}"
    assert {"button", "link", "slider", "combobox", "meter", "image", "table"} <= seen
    assert browser.run("return document.documentElement.lang") == "en"
    levels = browser.run("return [...document.querySelectorAll('h1, h2, h3')].filter(h => h.checkVisibility()).map(h => +h.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


# ---- For hours ------------------------------------------------------------------------------------------------------


def wait_for_answers(browser, count):
    """That many more answers have come and are shown."""
    browser.run("""
        window.answers = 0;
        window.observer?.disconnect();
        window.observer = new PerformanceObserver(list => (window.answers += list.getEntries().length));
        window.observer.observe({type: 'resource'});""")
    browser.wait_for("return window.answers >= arguments[0]", count)


def test_a_page_that_stays_open_holds_no_more_than_at_first(browser, start):
    server, admin = start()
    show(browser, admin)
    with traffic(server):
        wait_for_count(browser, "boom", 3)
        wait_for_answers(browser, 2)
        before = browser.counts()
        wait_for_answers(browser, 8)
        after = browser.counts()
    assert after["Nodes"] <= before["Nodes"] + 20, (before, after)
    assert after["JSEventListeners"] <= before["JSEventListeners"], (before, after)


def count_questions(browser):
    browser.run("""
        const real = fetch;
        window.asked = 0;
        window.fetch = (...all) => { window.asked++; return real(...all); };""")


@contextlib.contextmanager
def minimized(browser):
    window = browser.devtools("Browser.getWindowForTarget")["windowId"]
    browser.devtools("Browser.setWindowBounds", windowId=window, bounds={"windowState": "minimized"})
    try:
        yield
    finally:
        browser.devtools("Browser.setWindowBounds", windowId=window, bounds={"windowState": "normal"})


def test_a_paused_page_asks_nothing(browser, start):
    _, admin = start()
    show(browser, admin)
    browser.run("document.getElementById('pause').click()")
    count_questions(browser)
    with pytest.raises(Expired):
        browser.wait_for("return window.asked > 0", seconds=3)
    browser.run("document.getElementById('pause').click()")
    browser.wait_for("return window.asked > 1")


def test_a_page_that_nobody_sees_asks_nothing(browser, start):
    _, admin = start()
    show(browser, admin)
    count_questions(browser)
    with minimized(browser):
        browser.wait_for("return document.hidden")
        browser.run("window.asked = 0")
        with pytest.raises(Expired):
            browser.wait_for("return window.asked > 0", seconds=3)
    browser.wait_for("return !document.hidden && window.asked > 1")


def test_it_says_when_the_server_is_gone_and_goes_on_when_it_is_back(browser, start, screenshots):
    server, admin = start()
    show(browser, admin)
    browser.run("window.marker = 'the same page'")
    server.stop()
    browser.wait_for("return document.body.dataset.link === 'lost'")
    assert browser.run("return document.getElementById('pill').textContent") == "No connection"
    assert re.match(r"as of \d\d:\d\d:\d\d", browser.run("return document.getElementById('fresh').textContent"))
    assert "no connection" in browser.run("return document.getElementById('announce').textContent")
    assert browser.run("return document.title").startswith("No connection")
    assert_readable(browser)
    browser.screenshot(screenshots / "status-lost-desktop-light.png")
    again, _ = start(admin=f"{admin.host}:{admin.port}")
    browser.wait_for(MAIN_SHOWN)
    assert browser.run("return document.getElementById('pill').textContent") == "Serving"
    again.get("/request/a")
    assert wait_for_count(browser, "request", 1) == "1"
    assert browser.run("return window.marker") == "the same page"
    # A browser says itself that a server does not answer; nothing else was said.
    assert [message for message in browser.messages() if not REFUSED.search(message)] == []


def test_a_server_that_drains_is_shown_as_draining(browser, start):
    server, admin = start()
    show(browser, admin)
    connection = server.connection()
    connection.request("GET", "/slow/4000")
    wait_for_count(browser, "slow", 1, "flight")
    server.send_signal()
    browser.wait_for("return document.getElementById('pill').textContent === 'Draining'")
    assert connection.getresponse().read() == b"waited\n"
    connection.close()
    server.wait()
    server.stopped = True
