"""The clients of a soak: many users at once, each of which does one thing after the other, well-behaved or not, and
checks what comes of it byte by byte. Started by soak.py as a process of its own; knows weir from its documents alone.

What is neither the right answer nor a refusal that is documented is told in words, and fails the soak.
"""

import asyncio
import collections
import contextlib
import json
import random
import socket
import ssl
import struct
import sys
import time

from harness import hello_body

DEED_SECONDS = 90  # longer than any deed takes, and any time limit of the server that it meets
MIB = 1 << 20
PATTERN = bytes(i % 251 for i in range(251)) * 256  # as http_stream's /bulk
SHOWN = 20  # of what went wrong


class Wrong(Exception):
    """Neither the right answer nor a documented refusal."""


class Refused(Exception):
    """A documented refusal."""


class Answer:
    __slots__ = ("status", "headers", "body", "keeps", "whole")


async def read_head(reader):
    """The status, the headers, and whether the connection is kept."""
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    answer = Answer()
    if head[0][:9] not in ("HTTP/1.1 ", "HTTP/1.0 "):
        raise Wrong(f"not a status line: {head[0]!r}")
    answer.status = int(head[0][9:12])
    answer.headers = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        answer.headers[name.lower()] = value.strip()
    answer.keeps = answer.headers.get("connection", "").lower() != "close" and head[0][:8] == "HTTP/1.1"
    return answer


async def read_chunks(reader):
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        data = await reader.readexactly(size + 2)
        if data[-2:] != b"\r\n":
            raise Wrong("a chunk does not end with CR LF")
        if size == 0:
            return
        yield data[:-2]


async def read_answer(reader):
    answer = await read_head(reader)
    if "content-length" in answer.headers:
        answer.body = await reader.readexactly(int(answer.headers["content-length"]))
    elif answer.headers.get("transfer-encoding") == "chunked":
        answer.body = b"".join([piece async for piece in read_chunks(reader)])
    elif answer.status == 204:
        answer.body = b""
    else:
        answer.body = await reader.read(-1)
        answer.keeps = False
    return answer


def computed(rounds):
    """What http_work's /compute answers: the affine map, composed with itself by squaring."""
    mask = (1 << 64) - 1
    a, c = 6364136223846793005, 1442695040888963407
    whole_a, whole_c = 1, 0
    while rounds:
        if rounds & 1:
            whole_a, whole_c = a * whole_a & mask, (a * whole_c + c) & mask
        a, c = a * a & mask, (a * c + c) & mask
        rounds >>= 1
    return whole_a + whole_c & mask


def request(method, target, *headers, body=None, version="1.1"):
    lines = [f"{method} {target} HTTP/{version}", "Host: soak.example", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def chunked(pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


# What is no request, and the status that it gets; the connection is closed after it.
MALFORMED = [
    (b"GET /hello HTTP/1.1\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
    (b"POST /echo/ HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST /echo/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"POST /echo/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 40000 + b"\r\n\r\n", 431),
]


class User:
    """One of the users; has at most one connection that it keeps."""

    def __init__(self, world, number):
        self.world = world
        self.random = random.Random(f"{world.seed}/{number}")
        self.reader = self.writer = None
        self.fresh = True  # nothing was asked on the connection yet

    # -- connections

    async def connect(self, small=False):
        world = self.world
        plain = socket.socket()
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if small:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", world.port))
            tls = {"ssl": world.tls, "server_hostname": "localhost"} if world.tls else {}
            return await asyncio.open_connection(sock=plain, limit=8192 if small else 65536, **tls)
        except BaseException:
            plain.close()
            raise

    async def kept(self):
        if self.writer is None:
            self.reader, self.writer = await self.connect()
            self.fresh = True
        return self.reader, self.writer

    def drop(self):
        if self.writer is not None:
            self.writer.close()
            self.reader = self.writer = None

    @contextlib.asynccontextmanager
    async def own_connection(self, small=False):
        reader, writer = await self.connect(small)
        try:
            yield reader, writer
        finally:
            writer.close()

    def reset(self, writer):
        """Leave without a word: RST instead of FIN."""
        plain = writer.get_extra_info("socket")
        if plain is not None:  # else the server has closed it meanwhile
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    # -- judging

    def judge(self, answer, began, status, body=None):
        """See that it is the right answer, or a refusal for which there is a reason."""
        world = self.world
        world.statuses[answer.status] += 1
        if answer.status == status and (body is None or answer.body == body):
            return
        if answer.status == 503 and status != 503:
            if not answer.headers.get("retry-after", "").isdigit():
                raise Wrong(f"503 without Retry-After: {answer.headers}")
            raise Refused("503")
        if answer.status == 504 and time.monotonic() - began >= world.request_timeout * 0.9:
            raise Refused("504")
        wanted = "" if body is None else f" with {len(body)} bytes {body[:24]!r}"
        raise Wrong(
            f"{answer.status} with {len(answer.body)} bytes {answer.body[:24]!r} where {status}{wanted} was due; "
            f"{answer.headers}, after {time.monotonic() - began:.3f} s"
        )

    async def ask(self, raw, status, body=None):
        """One request on the connection that is kept."""
        reader, writer = await self.kept()
        began = time.monotonic()
        writer.write(raw)
        try:
            answer = await read_answer(reader)
        except BaseException:
            self.drop()
            raise
        if not answer.keeps:
            self.drop()
        self.judge(answer, began, status, body)

    # -- what users do; each is as many requests as it returns, or one

    async def hello(self):
        target = f"/hello?name=number+{self.random.randrange(10**6)}"
        await self.ask(request("GET", target), 200, hello_body(target).encode())

    async def cgi(self):
        number = self.random.randrange(10**6)
        target = f"/cgi/{number}?number={number}"
        await self.ask(request("GET", target), 200, hello_body(target).encode())

    async def echo(self):
        body = self.random.randbytes(self.random.randrange(1, 5000))
        if self.random.random() < 0.5:
            raw = request("POST", "/echo/", body=body)
        else:
            half = len(body) // 2
            pieces = [piece for piece in (body[:half], body[half:]) if piece]
            raw = request("POST", "/echo/", "Transfer-Encoding: chunked") + chunked(pieces)
        await self.ask(raw, 200, body)

    async def nowhere(self):
        await self.ask(request("GET", "/nowhere"), 404)

    async def connection_each(self):
        target = f"/hello?name=number+{self.random.randrange(10**6)}"
        version, *headers = self.random.choice([("1.1", "Connection: close"), ("1.1",), ("1.0",)])
        began = time.monotonic()
        async with self.own_connection() as (reader, writer):
            writer.write(request("GET", target, *headers, version=version))
            self.judge(await read_answer(reader), began, 200, hello_body(target).encode())

    async def pipeline(self):
        count = self.random.randrange(3, 9)
        targets = [f"/hello?name=number+{self.random.randrange(10**6)}" for _ in range(count - 1)]
        targets.insert(self.random.randrange(count), "/wait/20")
        began = time.monotonic()
        async with self.own_connection() as (reader, writer):
            writer.write(b"".join(request("GET", target) for target in targets))
            for target in targets:
                expected = b"waited\n" if target == "/wait/20" else hello_body(target).encode()
                try:
                    self.judge(await read_answer(reader), began, 200, expected)
                except Refused as refused:
                    self.world.outcomes[f"pipeline: {refused}"] += 1
        return count

    async def wait(self):
        await self.ask(request("GET", f"/wait/{self.random.randrange(50, 500)}"), 200, b"waited\n")

    async def trap(self):
        how = self.random.choice(["trap", "memory", "overflow", "divide", "abort", "nothing"])
        await self.ask(request("GET", f"/fail/{how}"), 500)

    async def trap_after_the_head(self):
        began = time.monotonic()
        async with self.own_connection() as (reader, writer):
            writer.write(request("GET", "/fail/head-then-trap"))
            answer = await read_head(reader)
            answer.body = b""
            if answer.status != 200:
                self.judge(answer, began, 200)
            self.world.statuses[200] += 1
            rest = await reader.read(-1)
            if rest != b"10\r\nthe first piece\n\r\n":
                raise Wrong(f"a response that broke off looks like {rest[-80:]!r}")

    async def compute(self):
        rounds = self.random.randrange(self.world.rounds // 5, self.world.rounds * 2)  # of 100 ms
        await self.ask(request("GET", f"/work/compute/{rounds}"), 200, b"%d\n" % computed(rounds))

    async def compute_for_ever(self):
        target = self.random.choice(["/spin", "/wagi/spin"])
        began = time.monotonic()
        async with self.own_connection() as (reader, writer):
            writer.write(request("GET", target))
            answer = await read_answer(reader)
            if answer.status == 200:
                raise Wrong("an endless computation came to an end")
            self.judge(answer, began, 504)

    async def dirty(self):
        mib = self.random.randrange(8, 33)
        pages = mib * 256
        await self.ask(request("GET", f"/work/dirty/{mib}"), 200, b"%d\n" % (pages * (pages + 1) // 2))

    async def dirty_beyond(self):
        await self.ask(request("GET", f"/work/dirty/{self.world.memory_mib + 1}"), 200, b"no memory\n")

    async def events(self):
        count = self.random.randrange(5, 25)
        await self.ask(
            request("GET", f"/stream/pieces/{count}/100"), 200, b"".join(b"data: %d\n\n" % i for i in range(count))
        )

    async def bulk(self):
        size = self.random.randrange(100_000, 3 * MIB)
        await self.ask(request("GET", f"/stream/bulk/{size}"), 200, self.world.pattern[:size])

    async def echo_much(self):
        """1 MiB there and back; the server takes no more of it than is taken back."""
        body = self.world.pattern[:MIB]
        async with self.own_connection() as (reader, writer):
            began = time.monotonic()

            async def send():
                writer.write(request("POST", "/echo/", f"Content-Length: {len(body)}"))
                for at in range(0, len(body), 65536):
                    writer.write(body[at : at + 65536])
                    await writer.drain()

            sending = asyncio.create_task(send())
            try:
                answer = await read_answer(reader)
                self.judge(answer, began, 200, body)
                await sending
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await sending

    async def read_slowly(self):
        size = MIB
        began = time.monotonic()
        async with self.own_connection(small=True) as (reader, writer):
            writer.write(request("GET", f"/stream/bulk/{size}"))
            answer = await read_head(reader)
            answer.body = b""
            if answer.status != 200:
                self.judge(answer, began, 200)
            self.world.statuses[200] += 1
            at = 0
            async for piece in read_chunks(reader):
                if piece != self.world.pattern[at : at + len(piece)]:
                    raise Wrong(f"other bytes than were due at {at}")
                at += len(piece)
                await asyncio.sleep(0.02)  # this is what reading slowly is
            if at != size:
                raise Wrong(f"{at} bytes where {size} were due")

    async def chain(self):
        body = self.random.randbytes(self.random.randrange(1, 3000))
        to = "http echo.spin.internal /echo/"
        await self.ask(request("POST", "/out/", f"X-To: {to}", "X-Method: POST", body=body), 200, body)

    async def outbound(self):
        body = self.random.randbytes(self.random.randrange(1, 3000))
        to = f"http 127.0.0.1:{self.world.remote_port} /"
        await self.ask(request("POST", "/out/", f"X-To: {to}", "X-Method: POST", body=body), 200, body)

    async def dribble(self, writer, raw, seconds):
        pieces = 20
        size = max(1, len(raw) // pieces)
        for at in range(0, len(raw), size):
            writer.write(raw[at : at + size])
            await asyncio.sleep(seconds / pieces)

    async def dribble_head(self):
        target = f"/hello?name=number+{self.random.randrange(10**6)}"
        async with self.own_connection() as (reader, writer):
            began = time.monotonic()
            await self.dribble(writer, request("GET", target), self.random.uniform(0.5, 2))
            self.judge(await read_answer(reader), began, 200, hello_body(target).encode())

    async def dribble_body(self):
        body = self.random.randbytes(400)
        async with self.own_connection() as (reader, writer):
            began = time.monotonic()
            writer.write(request("POST", "/echo/", f"Content-Length: {len(body)}"))
            await self.dribble(writer, body, self.random.uniform(0.5, 1.5))
            self.judge(await read_answer(reader), began, 200, body)

    async def leave_in_the_head(self):
        async with self.own_connection() as (_, writer):
            await self.dribble(writer, request("GET", "/hello")[:-3], self.random.uniform(0.1, 1))
            self.leave(writer)

    def leave(self, writer):
        self.world.left += 1
        if self.random.random() < 0.5:
            self.reset(writer)

    async def leave_in_the_body(self):
        target = self.random.choice(["/echo/", "/echo/late", "/echo/ignore", "/cgi/x", "/nowhere"])
        async with self.own_connection() as (_, writer):
            writer.write(request("POST", target, "Content-Length: 100000") + bytes(self.random.randrange(90000)))
            await asyncio.sleep(self.random.uniform(0, 0.1))
            self.leave(writer)

    async def leave_while_waiting(self):
        async with self.own_connection() as (_, writer):
            writer.write(request("GET", self.random.choice(["/wait/3000", "/wagi/wait?500", "/spin", "/wait/400"])))
            await asyncio.sleep(self.random.uniform(0, 0.2))
            self.leave(writer)

    async def leave_in_a_stream(self):
        began = time.monotonic()
        async with self.own_connection() as (reader, writer):
            writer.write(request("GET", self.random.choice(["/stream/forever", "/stream/bulk/100000000"])))
            answer = await read_head(reader)
            answer.body = b""
            if answer.status != 200:
                self.judge(answer, began, 200)
            self.world.statuses[200] += 1
            await reader.read(1000)
            self.leave(writer)

    async def close_half(self):
        """The answer, or none: whole in any case."""
        target = self.random.choice(["/wait/100", "/hello?name=half", "/wait/3000"])
        expected = hello_body(target).encode() if "hello" in target else b"waited\n"
        async with self.own_connection() as (reader, writer):
            began = time.monotonic()
            writer.write(request("GET", target))
            if self.world.tls is None:
                writer.write_eof()
            try:
                self.judge(await read_answer(reader), began, 200, expected)
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
                self.world.left += 1
                self.world.outcomes["close_half: taken to have left"] += 1

    async def malformed(self):
        raw, status = self.random.choice(MALFORMED)
        async with self.own_connection() as (reader, writer):
            began = time.monotonic()
            writer.write(raw)
            answer = await read_answer(reader)
            self.judge(answer, began, status)
            if await reader.read(-1):
                raise Wrong("more than one answer to what is no request")


# How often each deed is done, of all of them.
WEIGHTS = {
    "hello": 300,
    "cgi": 100,
    "echo": 80,
    "nowhere": 10,
    "connection_each": 60,
    "pipeline": 40,
    "wait": 300,
    "trap": 20,
    "trap_after_the_head": 5,
    "compute": 3,
    "compute_for_ever": 0.1,
    "dirty": 4,
    "dirty_beyond": 2,
    "events": 25,
    "bulk": 6,
    "echo_much": 4,
    "read_slowly": 2,
    "chain": 20,
    "outbound": 15,
    "dribble_head": 8,
    "dribble_body": 8,
    "leave_in_the_head": 5,
    "leave_in_the_body": 8,
    "leave_while_waiting": 8,
    "leave_in_a_stream": 4,
    "close_half": 6,
    "malformed": 8,
}


class World:
    """What the users of one process share."""

    def __init__(self, settings):
        self.port = settings["port"]
        self.seed = settings["seed"]
        self.rounds = settings["rounds"]
        self.request_timeout = settings["request_timeout"]
        self.memory_mib = settings["memory_mib"]
        self.users = settings["users"]
        self.until = settings["until"]  # on the clock of all processes, CLOCK_MONOTONIC
        self.tls = ssl.create_default_context(cafile=settings["authority"]) if settings.get("authority") else None
        self.remote_port = None
        self.pattern = PATTERN * (4 * MIB // len(PATTERN))
        self.statuses = collections.Counter()  # of the answers that were read
        self.outcomes = collections.Counter()
        self.requests = 0
        self.left = 0  # requests whose clients did not wait for the answer
        self.failures = []
        self.failed = 0

    async def serve_remote(self, reader, writer):
        """What guests reach over the network: answers with the request's body."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                if "transfer-encoding: chunked" in head:
                    body = b"".join([piece async for piece in read_chunks(reader)])
                else:
                    length = [line for line in head.split("\r\n") if line.startswith("content-length:")]
                    body = await reader.readexactly(int(length[0].split(":")[1]) if length else 0)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async def live(self, number):
        user = User(self, number)
        names, weights = zip(*WEIGHTS.items())
        while time.monotonic() < self.until and self.failed < SHOWN:
            name = user.random.choices(names, weights)[0]
            began = time.monotonic()
            try:
                async with asyncio.timeout(DEED_SECONDS):
                    done = await getattr(user, name)()
                outcome = name
            except Refused as refused:
                done, outcome = 1, f"{name}: {refused}"
            except Exception as error:  # pylint: disable=broad-except
                done, outcome = 1, f"{name}: failed"
                self.failed += 1
                after = time.monotonic() - began
                self.failures.append(f"user {number}, {name}, after {after:.3f} s: {type(error).__name__}: {error}")
                user.drop()
            self.requests += 1 if done is None else done
            self.outcomes[outcome] += 1
        user.drop()

    async def run(self):
        remote = await asyncio.start_server(self.serve_remote, "127.0.0.1", 0)
        self.remote_port = remote.sockets[0].getsockname()[1]
        await asyncio.gather(*(self.live(number) for number in range(self.users)))
        remote.close()

    def results(self):
        return {
            "requests": self.requests,
            "left": self.left,
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "outcomes": dict(self.outcomes),
            "failures": self.failures,
        }


def main():
    world = World(json.load(sys.stdin))
    asyncio.run(world.run())
    json.dump(world.results(), sys.stdout)


if __name__ == "__main__":
    main()
