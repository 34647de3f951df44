"""What the proxies are loaded with. Each load ends by itself and says how many requests were served and how many
failed."""

import collections
import re
import socket
import ssl
import statistics
import subprocess

Served = collections.namedtuple("Served", "requests failed")

ANSWER_SECONDS_MAX = 30

BROWSER = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br",
    "Referer: http://www.example.org/some/page",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Cache-Control: max-age=0",
    "Connection: keep-alive",
]


def wrk(options, contender, path, connections=64, headers=(), body=0, tls=False, seconds=None, folder=None):
    """As many requests as go in a round, by HTTP/1."""
    command = ["taskset", "-c", str(options.load_core), "wrk", "-t1", f"-c{connections}"]
    command += [f"-d{seconds or options.seconds}s"]
    for header in headers:
        command += ["-H", header]
    if body:
        script = folder / "post.lua"
        script.write_text(f'wrk.method = "POST"\nwrk.body = string.rep("x", {body})\n')
        command += ["-s", str(script)]
    output = subprocess.check_output([*command, url(contender, path, tls)], text=True)
    failed = sum(int(count) for count in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    failed += sum(map(int, errors.groups())) if errors else 0
    return Served(int(re.search(r"(\d+) requests in", output).group(1)), failed)


def h2load(options, contender, path, connections=16, streams=16):
    """As many requests as go in a round, by HTTP/2 over TLS."""
    command = ["taskset", "-c", str(options.load_core), "h2load", f"-c{connections}", f"-m{streams}"]
    command += ["-D", str(options.seconds), "--warm-up-time=0", url(contender, path, True)]
    return h2load_served(command)


def h2load_served(command):
    """What h2load says. Its failed requests include those without a response ("errored") and those with a bad one."""
    output = subprocess.check_output(command, text=True, stderr=subprocess.STDOUT)
    return Served(*map(int, re.search(r"requests: .* (\d+) succeeded, (\d+) failed", output).groups()))


def p99_microseconds(options, contender, rate, folder):
    """The time that 99 of 100 requests do not exceed, at a rate of so many requests a second, and how many there were."""
    log = folder / "latencies"
    log.unlink(missing_ok=True)
    clients = 32
    command = ["taskset", "-c", str(options.load_core), "h2load", "--h1", f"-c{clients}"]
    command += [f"--rps={rate / clients}", "-D", str(options.seconds), f"--log-file={log}"]
    served = h2load_served([*command, url(contender, "/1k", False)])
    times = [int(line.split("\t")[2]) for line in log.read_text().splitlines()]
    return statistics.quantiles(times, n=100)[98], served


def open_idle(contender, count, tls):
    """Connections that have asked once and stay open. What is not answered well, or not at all, is an error."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opened = []
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", contender.tls if tls else contender.plain), ANSWER_SECONDS_MAX)
        stream = context.wrap_socket(stream) if tls else stream
        stream.sendall(b"GET /1k HTTP/1.1\r\nHost: bench\r\n\r\n")
        hear_answer(stream, contender)
        opened.append(stream)
    return opened


def hear_answer(stream, contender):
    """The page of 1 KiB, but for its last octets."""
    heard, good = b"", b"HTTP/1.1 200 "
    while len(heard) < 1024:
        piece = stream.recv(4096)
        heard += piece
        if not piece or not heard.startswith(good[:len(heard)]):
            raise SystemExit(f"{contender.name} {'answers' if piece else 'closes the connection'}: {heard}")


def url(contender, path, tls):
    scheme, port = ("https", contender.tls) if tls else ("http", contender.plain)
    return f"{scheme}://127.0.0.1:{port}{path}"
