#!/usr/bin/env python3
"""HTTP/2 conformance: the 107 cases of httpwg against a listener without TLS, with a back end behind it.

Two cases fail (`EXPECTED`, below): both ask for what only a
decoder of header blocks can know, and that is in the h2 crate. Anything else that fails is an error.
"""

import http.server
import pathlib
import re
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading

EXPECTED = {
    # A broken header block ends the connection, as PROTOCOL_ERROR instead of COMPRESSION_ERROR.
    "RFC 9113 :: 4. http frames :: invalid header block fragment",
    # A pseudo-header among trailers is dropped, not refused: it never reaches us.
    "RFC 9113 :: 8. expressing http semantics in http2 :: sends headers frame with pseudo header in trailer",
}

CONFIGURATION = """
[nodes.a]
address = "127.0.0.1"
[global]
user = "root"
group = "root"
[proxy]
workers = 1
[listeners.web]
bind = ["127.0.0.1:{front}"]
http2 = true
[[routes]]
upstream = "app"
[upstreams.app]
servers = [{{ address = "127.0.0.1:{back}" }}]
"""


class BackEnd(http.server.BaseHTTPRequestHandler):
    """Reads whatever comes and answers five octets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Transfer-Encoding"):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            while self.rfile.readline().strip():
                pass
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"hello")

    do_POST = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        """What the cases break off is broken off here, too."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    evenkeel, httpwg = sys.argv[1:]
    back_end = Server(("127.0.0.1", 0), BackEnd)
    threading.Thread(target=back_end.serve_forever, daemon=True).start()
    front = free_port()
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        configuration = place / "evenkeel.toml"
        configuration.write_text(CONFIGURATION.format(front=front, back=back_end.server_port))
        options = ["--node", "a", "--run-dir", place / "run", "--state-dir", place / "state"]
        for name in ("run", "state"):
            (place / name).mkdir()
        with open(place / "log", "w") as log:
            proxy = subprocess.Popen([evenkeel, "run", "-c", configuration, *options], stderr=log)
        try:
            command = [httpwg, "-a", f"127.0.0.1:{front}", "--connect-timeout", "10000"]
            command += ["--frame-timeout", "3000"]
            result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        finally:
            proxy.terminate()
            proxy.wait()
    said = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)
    passed = re.search(r"Passed (\d+)/(\d+)", said)
    failed = set(re.findall(r"Test failed: (.*)", said))
    print(passed.group(0) if passed else said)
    for name in sorted(failed):
        print("failed as expected:" if name in EXPECTED else "FAILED:", name)
    sys.exit(0 if passed and failed <= EXPECTED else 1)


main()
