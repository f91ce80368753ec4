"""Traces: what guests and those behind them see of W3C trace context, and the spans that a collector gets over OTLP/HTTP.

The collector here is a real server. It decodes protobuf with the official messages (opentelemetry-proto), where these are
installed, and JSON as the mapping of protobuf to JSON has it.
"""

import base64
import concurrent.futures
import http.server
import json
import re
import ssl
import threading
import time

import pytest

from harness import Component, write_application

try:
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
except ImportError:
    trace_service_pb2 = None

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
SERVER, INTERNAL = 2, 1  # SpanKind
ERROR = 2  # StatusCode


class Post:
    def __init__(self, handler, body):
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.at = time.monotonic()
        self.body = body

    @property
    def resource_spans(self):
        if "json" in self.headers["content-type"]:
            return json.loads(self.body)["resourceSpans"]
        return decode(self.body)["resourceSpans"]

    @property
    def resource(self):
        return attributes(self.resource_spans[0]["resource"])

    @property
    def spans(self):
        return [span for of in self.resource_spans for scope in of["scopeSpans"] for span in scope.get("spans", [])]


def decode(body):
    """The message as JSON of OTLP has it: identifiers in hexadecimal digits."""
    if trace_service_pb2 is None:
        pytest.skip("the official messages are not there: ./dev test fetches opentelemetry-proto, as pip install does")
    from google.protobuf import json_format

    message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
    assert not message.DiscardUnknownFields() and message.SerializeToString() == body, "there is something unknown in it"
    decoded = json.loads(json_format.MessageToJson(message, use_integers_for_enums=True))
    for of in decoded["resourceSpans"]:
        for span in of["scopeSpans"][0].get("spans", []):
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:
                    span[name] = base64.b64decode(span[name]).hex()
    return decoded


def attributes(of):
    values = {}
    for pair in of["attributes"]:
        assert pair["key"] not in values, of
        ((kind, value),) = pair["value"].items()
        values[pair["key"]] = int(value) if kind == "intValue" else value
    return values


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        post = Post(self, self.rfile.read(int(self.headers["content-length"])))
        collector = self.server
        with collector.changed:
            status, headers, body = collector.answers.pop(0) if collector.answers else (200, {}, b"")
            collector.posts.append((status, post))
            collector.changed.notify_all()
        if status == 0:
            collector.released.wait(60)
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with self.server.changed:
            self.server.requests.append([(name.lower(), value) for name, value in self.headers.items()])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.changed = threading.Condition()
        self.posts = []
        self.requests = []  # what came that are no spans: their headers
        self.answers = []  # the next ones: status, headers, body; 0: none
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait_for(self, condition, seconds=30):
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), seconds), self.posts

    def spans(self, kind=None):
        """Those that it has taken."""
        with self.changed:
            posts = [post for status, post in self.posts if status == 200]
        return [span for post in posts for span in post.spans if kind in (None, span["kind"])]

    def await_spans(self, count, kind=SERVER):
        deadline = time.monotonic() + 30
        while len(self.spans(kind)) < count:
            assert time.monotonic() < deadline, self.spans()
            with self.changed:
                self.changed.wait(0.2)
        spans = self.spans(kind)
        assert len(spans) == count, spans
        return spans

    def handle_error(self, request, address):
        pass


@pytest.fixture
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def application(guest, tmp_path):
    path = write_application(
        tmp_path / "traced",
        [
            Component("request", "/request/...", guest("http_request")),
            Component("fail", "/fail/...", guest("http_fail")),
            Component("environment", "/cgi/...", guest("wagi_environment"), wagi=True),
            Component("out", "/out/...", guest("http_outgoing")),
        ],
    )
    manifest = path / "spin.toml" if path.is_dir() else path
    text = manifest.read_text()
    assert "[component.out]\n" in text, text
    hosts = 'allowed_outbound_hosts = ["http://127.0.0.1:*", "http://*.spin.internal"]'
    manifest.write_text(text.replace("[component.out]\n", f"[component.out]\n{hosts}\n"))
    return path


def exporting(collector, **more):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20", **more}


def seen(response, name):
    """The values of a header as a guest saw it."""
    assert response.status == 200, response
    return re.findall(rf"^header {name}: (.*)$", response.text, re.M)


# ---- Context without spans -------------------------------------------------------------------------------------------


def test_without_a_collector_guests_see_trace_context_as_it_came(weir_checked, serve, application):
    server = serve(weir_checked, application)
    headers = {"traceparent": SAMPLED, "tracestate": "a=1,b=2"}
    answer = server.get("/request/", headers=headers)
    assert seen(answer, "traceparent") == [SAMPLED] and seen(answer, "tracestate") == ["a=1,b=2"]
    assert seen(server.get("/request/"), "traceparent") == []
    assert seen(server.get("/request/", headers={"traceparent": "nonsense"}), "traceparent") == ["nonsense"]
    cgi = server.get("/cgi/", headers=headers).text
    assert f"environment HTTP_TRACEPARENT={SAMPLED}\n" in cgi and "environment HTTP_TRACESTATE=a=1,b=2\n" in cgi


def ask(server, to, headers=None, path="/out/"):
    return server.get(path, headers={"x-to": to, "x-method": "GET", **(headers or {})})


def carried(requests):
    (headers,) = requests
    return {name: [v for n, v in headers if n == name] for name in ("traceparent", "tracestate")}


def test_what_a_guest_requests_carries_the_trace_on(weir, serve, application, collector):
    server = serve(weir, application)
    cases = [
        ({"traceparent": SAMPLED, "tracestate": "a=1, b=2"}, [SAMPLED], ["a=1,b=2"]),
        ({"traceparent": SAMPLED}, [SAMPLED], []),
        ({"traceparent": SAMPLED, "tracestate": "not a state"}, [SAMPLED], []),
        ({"traceparent": f"cc-{TRACE}-{PARENT}-01-later"}, [SAMPLED], []),
        ({"traceparent": SAMPLED.upper(), "tracestate": "a=1"}, [], []),
        ({"tracestate": "a=1"}, [], []),
        ({}, [], []),
        # What the guest sets itself is let be.
        ({"traceparent": SAMPLED, "tracestate": "a=1", "x-add": "traceparent"}, ["1"], []),
    ]
    for came, parents, states in cases:
        collector.requests.clear()
        assert ask(server, f"http {collector.url.removeprefix('http://')} /", came).status == 200
        assert carried(collector.requests) == {"traceparent": parents, "tracestate": states}, came


def test_several_traceparents_are_none(weir, serve, application, collector):
    server = serve(weir, application)
    to = f"http {collector.url.removeprefix('http://')} /"
    response = server.exchange(
        f"GET /out/ HTTP/1.1\r\nHost: a\r\nx-to: {to}\r\nx-method: GET\r\ntraceparent: {SAMPLED}\r\n"
        f"Traceparent: {SAMPLED}\r\nConnection: close\r\n\r\n".encode()
    )
    assert response.status == 200, response
    assert carried(collector.requests)["traceparent"] == []


def test_a_request_from_guest_to_guest_carries_the_trace_on(weir_checked, serve, application):
    server = serve(weir_checked, application)
    answer = ask(server, "http request.spin.internal /", {"traceparent": SAMPLED, "tracestate": "a=1"})
    assert seen(answer, "traceparent") == [SAMPLED] and seen(answer, "tracestate") == ["a=1"]


def test_the_log_names_the_trace_of_a_guest_that_traps(weir, serve, application):
    server = serve(weir, application)
    assert server.get("/fail/trap", headers={"traceparent": SAMPLED}).status == 500
    server.stderr.wait_for(rf"component fail: trapped: .*\(GET /fail/trap, trace {TRACE}\)")
    assert server.get("/fail/trap").status == 500
    server.stderr.wait_for(r"component fail: trapped: .*\(GET /fail/trap\)")


# ---- Spans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_request_is_a_span_and_its_guest_one_below_it(weir_checked, serve, application, collector, protocol):
    server = serve(
        weir_checked,
        application,
        environment=exporting(
            collector,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20secret, x-tenant = weir",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.name=other",
            OTEL_SERVICE_NAME="service",
        ),
    )
    before = time.time_ns()
    answer = server.request("POST", "/request/a%20b?q=%C3%BC", body=b"12345", headers={"traceparent": SAMPLED})
    after = time.time_ns()
    (span,) = collector.await_spans(1)
    (guest,) = collector.await_spans(1, INTERNAL)
    (_, post), *_ = collector.posts
    assert post.path == "/v1/traces"
    assert post.headers["authorization"] == "Bearer secret" and post.headers["x-tenant"] == "weir"
    assert post.headers["content-type"] == ("application/json" if "json" in protocol else "application/x-protobuf")
    resource = post.resource
    assert resource["service.name"] == "service" and resource["deployment.environment.name"] == "test"
    assert resource["telemetry.sdk.name"] == "weir" and resource["telemetry.sdk.language"] == "c"
    assert span["traceId"] == guest["traceId"] == TRACE
    assert span["parentSpanId"] == PARENT and guest["parentSpanId"] == span["spanId"]
    assert seen(answer, "traceparent") == [f"00-{TRACE}-{span['spanId']}-01"]
    assert span["name"] == "POST /request/..." and guest["name"] == "guest request"
    assert "status" not in span and span["flags"] == 0x301
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    slack = 50_000_000  # the two clocks are read one after the other
    assert before - slack <= start <= end <= after + slack
    assert start <= int(guest["startTimeUnixNano"]) <= int(guest["endTimeUnixNano"]) <= end
    values = attributes(span)
    host, port = server.authority.rsplit(":", 1)
    client = values.pop("client.port")
    assert 0 < client < 65536 and 0 <= values.pop("weir.queue.duration") < 30
    assert values == {
        "http.request.method": "POST",
        "url.path": "/request/a%20b",
        "url.query": "q=%C3%BC",
        "url.scheme": "http",
        "server.address": host,
        "server.port": int(port),
        "client.address": "127.0.0.1",
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "http.route": "/request/...",
        "http.response.status_code": 200,
        "http.request.body.size": 5,
        "http.response.body.size": len(answer.body),
        "weir.component": "request",
        "weir.outcome": "answered",
    }
    assert set(attributes(guest)) == {"weir.component", "weir.guest.cpu_time"}


def test_a_trace_joins_client_server_and_what_the_guest_requests(weir, serve, application, collector):
    server = serve(weir, application, environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/json"))
    to = f"http {collector.url.removeprefix('http://')} /"
    assert ask(server, to, {"traceparent": SAMPLED, "tracestate": "a=1"}).status == 200
    (span,) = collector.await_spans(1)
    assert (span["traceId"], span["parentSpanId"]) == (TRACE, PARENT)
    expected = {"traceparent": [f"00-{TRACE}-{span['spanId']}-01"], "tracestate": ["a=1"]}
    assert carried(collector.requests) == expected
    inner = ask(server, "http request.spin.internal /", {"traceparent": SAMPLED})
    (_, span) = collector.await_spans(2)
    assert seen(inner, "traceparent") == [f"00-{TRACE}-{span['spanId']}-01"]


def test_a_trace_begins_where_none_came(weir, serve, application, collector):
    server = serve(weir, application, environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/json"))
    headers = [{}, {"traceparent": "nonsense", "tracestate": "a=1"}, {"tracestate": "a=1"}]
    for index, came in enumerate(headers):
        answer = server.get("/request/", headers=came)
        span = collector.await_spans(index + 1)[-1]
        assert "parentSpanId" not in span and span["flags"] == 0x101
        assert seen(answer, "traceparent") == [f"00-{span['traceId']}-{span['spanId']}-01"]
        assert seen(answer, "tracestate") == []
    assert len({span["traceId"] for span in collector.spans(SERVER)}) == 3


@pytest.mark.parametrize(
    "target, status, error",
    [("/fail/trap", 500, "trapped"), ("/nowhere", 404, None), ("/.well-known/spin/health", 200, None)],
)
def test_a_span_says_what_went_wrong(weir, serve, application, collector, target, status, error):
    server = serve(weir, application, environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/json"))
    assert server.get(target).status == status
    (span,) = collector.await_spans(1)
    values = attributes(span)
    assert values["http.response.status_code"] == status and values.get("error.type") == error
    assert span.get("status") == ({"code": ERROR} if error else None)
    assert ("http.route" in values) is (error is not None)
    assert span["name"] == ("GET /fail/..." if error else "GET")


@pytest.mark.parametrize(
    "environment, came, sampled",
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, SAMPLED, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, SAMPLED, True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, None, False),
        ({}, SAMPLED.removesuffix("01") + "00", False),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, SAMPLED, False),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, None, True),
    ],
)
def test_what_is_not_sampled_is_carried_on_and_not_exported(
    weir, serve, application, collector, environment, came, sampled
):
    server = serve(weir, application, environment=exporting(collector, **environment))
    (parent,) = seen(server.get("/request/", headers={"traceparent": came} if came else {}), "traceparent")
    assert parent.endswith("-01" if sampled else "-00") and (came is None or TRACE in parent)
    server.stop()
    assert len(collector.posts) == (1 if sampled else 0)


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_nothing_is_exported_where_that_is_switched_off(weir, serve, application, collector, environment):
    server = serve(weir, application, environment=exporting(collector, **environment))
    assert seen(server.get("/request/"), "traceparent") == []
    server.stop()
    assert collector.posts == []
    if "grpc" in environment.values():
        assert "warning: OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which is not served" in server.log


def test_the_variables_for_traces_win(weir, serve, application, collector):
    server = serve(
        weir,
        application,
        environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/elsewhere?x=y",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-of=all",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-of=traces",
        },
    )
    assert server.get("/request/").status == 200
    server.stop()  # which does not wait for the usual five seconds
    ((_, post),) = collector.posts
    assert post.path == "/elsewhere?x=y" and post.headers["x-of"] == "traces" and len(post.spans) == 2


def test_queries_are_left_out_where_that_is_wanted(weir, serve, application, collector):
    server = serve(weir, application, "--omit-queries", environment=exporting(collector))
    assert server.get("/request/?token=secret").status == 200
    server.stop()
    assert all(b"/request/" in post.body and b"secret" not in post.body for _, post in collector.posts)


def test_all_spans_are_sent_before_it_ends(weir_checked, serve, application, collector):
    server = serve(
        weir_checked,
        application,
        environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/json", OTEL_BSP_SCHEDULE_DELAY="60000"),
    )
    for _ in range(20):
        assert server.get("/request/").status == 200
    server.stop()
    assert len(collector.spans(SERVER)) == 20


# ---- Collectors that are not as they should be -----------------------------------------------------------------------


def test_a_busy_collector_is_asked_again_when_it_wants(weir, serve, application, collector):
    collector.answers += [(503, {"Retry-After": "2"}, b""), (429, {}, b"<garbage>")]
    server = serve(weir, application, environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/json"))
    assert server.get("/request/").status == 200
    collector.await_spans(1)
    (first, second, third) = [post for _, post in collector.posts]
    assert first.body == second.body == third.body
    assert second.at - first.at >= 1.9 and third.at - second.at >= 0.5
    server.stop()
    assert "lost" not in server.log


@pytest.mark.parametrize("status", [400, 404, 500, 301])
def test_what_a_collector_refuses_is_told_of_and_not_sent_again(weir, serve, application, collector, status):
    collector.answers += [(status, {}, b"\xff\0garbage")]
    server = serve(weir, application, environment=exporting(collector))
    assert server.get("/request/").status == 200
    server.stderr.wait_for(rf"lost 1 span for the collector at {collector.url}: it answered with status {status}")
    assert server.get("/request/").status == 200
    collector.wait_for(lambda c: len(c.posts) == 2)
    server.stop()


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_collector_may_take_only_some(weir, serve, application, collector, protocol):
    said = "no room <here>"
    answer = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": said}}).encode()
    if protocol == "http/protobuf":
        inner = b"\x08\x01\x12" + bytes([len(said)]) + said.encode()
        answer = b"\x0a" + bytes([len(inner)]) + inner
    collector.answers += [(200, {}, answer)]
    server = serve(weir, application, environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL=protocol))
    assert server.get("/request/").status == 200
    server.stderr.wait_for(r"lost 1 span for the collector at \S+: it took only some: no room <here>")


def test_a_collector_that_is_away_costs_spans_and_nothing_else(weir_checked, serve, application):
    server = serve(
        weir_checked,
        application,
        environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            "OTEL_BSP_EXPORT_TIMEOUT": "200",
            "OTEL_BSP_MAX_QUEUE_SIZE": "8",
        },
    )
    for _ in range(50):
        assert server.get("/request/").status == 200
    server.stop()
    lost = [int(count) for count in re.findall(r"lost (\d+) spans? for the collector at http://127.0.0.1:1: ", server.log)]
    assert sum(lost) == 50 and len(lost) <= 2, server.log


def test_a_collector_that_never_answers_holds_up_no_request_and_no_end(weir, serve, application, collector):
    collector.answers += [(0, {}, b"")] * 100
    server = serve(weir, application, environment=exporting(collector, OTEL_BSP_MAX_QUEUE_SIZE="16"))
    assert server.get("/request/").status == 200
    collector.wait_for(lambda c: c.posts)
    for _ in range(100):
        assert server.get("/request/").status == 200
    server.stop()  # within its time, and with status 0
    assert "lost" in server.log or "lacks the last spans" in server.log


def test_what_is_not_served_or_malformed_is_warned_of_by_name(weir, serve, application, collector):
    server = serve(
        weir,
        application,
        environment=exporting(
            collector,
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY="/key",
            OTEL_TRACES_SAMPLER="jaeger_remote",
            OTEL_PROPAGATORS="b3",
            OTEL_BSP_MAX_QUEUE_SIZE="many",
            OTEL_EXPORTER_OTLP_HEADERS="secretwithoutequals",
        ),
    )
    for name in (
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
        "OTEL_TRACES_SAMPLER",
        "OTEL_PROPAGATORS",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ):
        server.stderr.wait_for(rf"warning: {name}\b")
    assert "secretwithoutequals" not in server.log
    assert server.get("/request/").status == 200
    collector.wait_for(lambda c: c.posts)


def test_a_collector_over_tls_is_trusted_by_its_own_authority_alone(weir, serve, application, certificates, tmp_path):
    server_side = Collector()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    server_side.socket = context.wrap_socket(server_side.socket, server_side=True)
    thread = threading.Thread(target=server_side.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"https://localhost:{server_side.server_address[1]}"
        common = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "1", "OTEL_BSP_EXPORT_TIMEOUT": "300"}
        stranger = serve(weir, application, environment=common)
        assert stranger.get("/request/").status == 200
        stranger.stderr.wait_for(rf"lost 1 span for the collector at {url}: .*certificate")
        stranger.stop()
        assert server_side.posts == []
        authority = certificates / "ca.pem"
        server = serve(weir, application, environment={**common, "OTEL_EXPORTER_OTLP_CERTIFICATE": authority})
        assert server.get("/request/").status == 200
        server.stop()
        assert len(server_side.posts) == 1
    finally:
        server_side.shutdown()
        server_side.server_close()
        thread.join()


def test_spans_join_under_load_and_none_is_lost(weir, serve, application, collector):
    count = 400
    server = serve(weir, application, environment=exporting(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/json"))

    def work(index):
        parent = f"00-{index + 1:032x}-{index + 1:016x}-01"
        (told,) = seen(server.get("/request/", headers={"traceparent": parent}), "traceparent")
        return told

    with concurrent.futures.ThreadPoolExecutor(16) as workers:
        tasks = list(workers.map(work, range(count)))
    spans = {span["traceId"]: span for span in collector.await_spans(count)}
    for index, told in enumerate(tasks):
        span = spans[f"{index + 1:032x}"]
        assert span["parentSpanId"] == f"{index + 1:016x}" and told == f"00-{span['traceId']}-{span['spanId']}-01"
