"""Canned HTTP responses, sound or not."""

RESPONSES = {
    "ok": b'HTTP/1.1 200 OK\r\nServer: test\r\nAlt-Svc: h3=":443"\r\nContent-Length: 2\r\n\r\nhi',
    "moved": b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n",
    "missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "broken": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "until-close": b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 200_000,
    "hostile": b"HTTP/1.1 200 OK\r\nServer: \xff\xfe"
    + b"s" * 5000
    + b"\r\nSet-Cookie: =;=\r\nContent-Length: 0\r\n\r\n",
    "many-headers": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 300) for n in range(90))
    + b"Content-Length: 0\r\n\r\n",
    "truncated-headers": b"HTTP/1.1 200 OK\r\nServer: te",
    "truncated-body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhi",
    "oversized-headers": b"HTTP/1.1 200 OK\r\n" + b"X-Y: " + b"z" * 300_000 + b"\r\n\r\n",
    "bad-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi",
    "garbage": b"\x16\x03\x01\0\0 nothing like HTTP\r\n\r\n",
    "empty": b"",
}
