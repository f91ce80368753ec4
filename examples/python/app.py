"""A component in Python: it answers wasi:http with the bindings that componentize-py makes of the standard world
wasi:http/proxy. Python itself is in the component.

  GET  /python?name=Ada   greets whom the query names
  POST /python            a text: how often it has which word, the most frequent first
"""

import json
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        match request.method():
            case Method_Get():
                query = parse_qs(urlsplit(request.path_with_query() or "/").query)
                status, answer = 200, {"greeting": f"Hello, {query.get('name', ['world'])[0]}!"}
            case Method_Post():
                words = read_body(request).decode("utf-8", "replace").lower().split()
                status, answer = 200, {"words": dict(Counter(words).most_common())}
            case _:
                status, answer = 405, {"error": "only GET and POST are served"}
        respond(response_out, status, answer)


def read_body(request: IncomingRequest) -> bytes:
    """The whole body; a body that breaks off raises."""
    pieces = []
    with request.consume() as body, body.stream() as stream:
        while True:
            try:
                pieces.append(stream.blocking_read(64 * 1024))
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return b"".join(pieces)
                raise


def respond(response_out: ResponseOutparam, status: int, answer: dict) -> None:
    response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    text = json.dumps(answer, ensure_ascii=False).encode() + b"\n"
    with body.write() as stream:
        # The host takes up to 4096 bytes at once.
        for start in range(0, len(text), 4096):
            stream.blocking_write_and_flush(text[start : start + 4096])
    OutgoingBody.finish(body, None)
