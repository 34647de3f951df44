"""An HTTP/1.1 server that sends bodies back in chunks, and says in fields what it saw: how the body was
framed, its trailers, who asks. A trailer tells how long the body was."""

import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def read_body(self):
        """The body, how it was framed, and its trailers."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0))), "length", []
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            assert self.rfile.readline() == b"\r\n"
        trailers = []
        while line := self.rfile.readline().decode().strip():
            trailers.append(line)
        return body, "chunks", trailers

    def answer(self):
        body, framing, trailers = self.read_body()
        self.send_response(200)
        self.send_header("Seen", f"{self.command} in {framing} for {self.headers['X-Forwarded-For']}")
        self.send_header("Seen-Trailers", "; ".join(trailers))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 50_000):
            piece = body[start:start + 50_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\nOctets: %d\r\n\r\n" % len(body))

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("0.0.0.0", 8001), Handler).serve_forever()
