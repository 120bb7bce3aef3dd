"""A small stand-in for Lambda's runtime API, which one function at a time asks for work.

Decides what is timed and where: the moment a request's first byte arrives, on bare sockets and in the one thread that also starts
the function. A server class with a thread for each connection would add half a millisecond to everybody's times, and so make the
quickest function look worse and every ratio look better than it is.
"""
import json
import selectors
import socket
import time
import uuid
from typing import NamedTuple


class Request(NamedTuple):
    """What the function asked for, and when its first byte arrived."""

    at: float
    method: str
    path: str
    body: bytes
    connection: socket.socket


class RuntimeStub:
    """`asks` waits for the function's next request; `hand_out` and `take` answer the two kinds that there are."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.half = {}

    def asks(self, seconds, alive):
        """The next whole request. `alive` is asked now and then, so that a function that has ended is not waited for."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for key, _ in self.selector.select(0.5):
                now = time.perf_counter()
                if key.fileobj is self.listener:
                    connection, _ = self.listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.selector.register(connection, selectors.EVENT_READ)
                    continue
                received = key.fileobj.recv(65536)
                if not received:
                    self.forget(key.fileobj)
                    continue
                at, before = self.half.pop(key.fileobj, (now, b""))
                whole = parse(before + received)
                if whole is None:
                    self.half[key.fileobj] = at, before + received
                else:
                    return Request(at, *whole, key.fileobj)
            if not alive():
                raise RuntimeError("it ended")
        raise RuntimeError(f"it was silent for {seconds} seconds")

    def hand_out(self, request, event):
        """Answers a request for work. The time is taken before the answer leaves."""
        begun = time.perf_counter()
        self.reply(request.connection, "200 OK", json.dumps(event).encode(), {
            "Lambda-Runtime-Aws-Request-Id": uuid.uuid4(),
            "Lambda-Runtime-Deadline-Ms": int((time.time() + 30) * 1000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:111122223333:function:bench",
        })
        return begun

    def take(self, request):
        """Answers the function's answer."""
        self.reply(request.connection, "202 Accepted", b"{}", {})

    def reply(self, connection, status, body, headers):
        headers = {"Content-Type": "application/json", "Content-Length": len(body), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)

    def forget(self, connection):
        self.selector.unregister(connection)
        self.half.pop(connection, None)
        connection.close()

    def close(self):
        for key in list(self.selector.get_map().values()):
            self.forget(key.fileobj)
        self.selector.close()


def parse(received):
    """Method, path and body, or `None` while something is missing."""
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            size, end, rest = rest.partition(b"\r\n")
            length = int(size, 16) if end else 0
            if not end or len(rest) < length + 2:
                return None
            if length == 0:
                return method, path, body
            body, rest = body + rest[:length], rest[length + 2:]
    length = int(headers.get("content-length", 0))
    return (method, path, rest[:length]) if len(rest) >= length else None
