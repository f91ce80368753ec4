"""A real browser: Chromium without a window, driven through ChromeDriver as the W3C's WebDriver says (JSON over HTTP,
https://www.w3.org/TR/webdriver2/), and through the DevTools protocol where that has no word for it."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess

from harness import REQUEST_DEADLINE, START_DEADLINE, Expired, Stream

# Debian's names, and Ubuntu's and Chrome's own
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")

# No window, and nothing of its own on the network.
ARGUMENTS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--force-device-scale-factor=1",
    "--lang=en-GB",
]


class Missing(Exception):
    """There is no browser here; the text says what is not there."""


def find(names, package):
    for name in names:
        if path := shutil.which(name):
            return path
    raise Missing(f"{names[0]} (Debian package {package}) is not installed")


class Browser:
    """One window. Use it in a `with` statement; what it started has ended after that."""

    def __init__(self, directory):
        browser = find(BROWSERS, "chromium")
        driver = find(DRIVERS, "chromium-driver")
        self.session = None
        # A group of its own, for a browser is many processes.
        self.process = subprocess.Popen(
            [driver, "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, "HOME": str(directory), "TMPDIR": str(directory)},
            start_new_session=True,
        )
        try:
            output = Stream("chromedriver", self.process.stdout)
            started = output.wait_for(r"started successfully on port (\d+)", START_DEADLINE)
            self.port = int(started[1])
            arguments = [*ARGUMENTS, f"--user-data-dir={directory}/profile"]
            if os.geteuid() == 0:
                arguments.append("--no-sandbox")  # Chromium's own needs another user than root
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": browser, "args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}}, START_DEADLINE)
            self.session = answer["sessionId"]
            self.version = answer["capabilities"]["browserVersion"]
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
            if self.session is not None:
                self.command("DELETE", "")
        self.session = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _ask(self, method, path, body=None, seconds=REQUEST_DEADLINE):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            connection.close()
        assert response.status == 200, f"{method} {path}: {value['error']}: {value['message']}"
        return value

    def command(self, method, path, body=None):
        return self._ask(method, f"/session/{self.session}{path}", body)

    def devtools(self, name, **parameters):
        return self.command("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    # -- what a person does

    def open(self, url):
        self.command("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What `script`, the body of a function, returns in the page."""
        return self.command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, *arguments, seconds=REQUEST_DEADLINE):
        """What `script` returns once that is true. It is asked by the page itself, whenever it draws."""
        waiting = """
            const [script, values, milliseconds, done] = arguments;
            const wanted = new Function(script);
            const end = performance.now() + milliseconds;
            const look = () => {
                const value = wanted(...values);
                if (value) done([value]);
                else if (performance.now() > end) done(null);
                else setTimeout(look, 20);
            };
            look();"""
        self.command("POST", "/timeouts", {"script": int(seconds * 1000) + 5000})
        body = {"script": waiting, "args": [script, list(arguments), int(seconds * 1000)]}
        found = self._ask("POST", f"/session/{self.session}/execute/async", body, seconds + 10)
        if found is None:
            raise Expired(f"not so after {seconds} s: {script}\n{self.text()[:4000]}")
        return found[0]

    def text(self):
        """What a person can read."""
        return self.run("return document.body.innerText")

    def press(self, key, *, code=None):
        """A key, by its name in the standard UI Events (Tab, Enter, ArrowLeft)."""
        keys = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "End": 35, "Home": 36}
        event = {"key": key, "code": code or ("Space" if key == " " else key), "windowsVirtualKeyCode": keys[key]}
        if key in ("Enter", " "):
            event["text"] = "\r" if key == "Enter" else " "
        self.devtools("Input.dispatchKeyEvent", type="keyDown", **event)
        event.pop("text", None)
        self.devtools("Input.dispatchKeyEvent", type="keyUp", **event)

    # -- how the window is

    def resize(self, width, height=900):
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, **features):
        """Media features, such as prefers_color_scheme="dark"."""
        pairs = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", features=pairs)

    def screenshot(self, path):
        """The whole page, also what one would have to scroll to, as a PNG."""
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def messages(self):
        """What came to the console since this was asked last: errors, warnings and all else, with its level."""
        entries = self.command("POST", "/se/log", {"type": "browser"})
        return [f"{entry['level']}: {entry['message']}" for entry in entries]

    def counts(self):
        """Nodes, listeners and bytes of JavaScript's heap, after what nobody holds was collected."""
        self.devtools("Performance.enable")
        self.devtools("HeapProfiler.collectGarbage")
        metrics = {entry["name"]: entry["value"] for entry in self.devtools("Performance.getMetrics")["metrics"]}
        return {name: int(metrics[name]) for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}


