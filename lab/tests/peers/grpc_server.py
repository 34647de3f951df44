"""Two gRPC services of the same methods: one to be asked without TLS, one with (certificate and key as arguments).

Messages are octets as they are: what they mean is no affair of a proxy.
"""

import concurrent.futures
import queue
import sys
import threading

import grpc

# What Begun and Ended hand out: the seconds that each Wait was given, and that its stream has ended.
waits_begun = queue.SimpleQueue()
waits_ended = queue.SimpleQueue()


def say(request, context):
    transport = context.auth_context()["transport_security_type"][0]
    context.set_trailing_metadata((("seen", str(len(request))), ("transport", transport.decode())))
    return request


def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def collect(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def talk(requests, context):
    for request in requests:
        yield request.upper()


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "there is no \u00fcmlaut")


def wait(request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    waits_begun.put(context.time_remaining())
    ended.wait()
    waits_ended.put(b"ended")
    return b""


def begun(request, context):
    return b"%f" % waits_begun.get(timeout=context.time_remaining())


def ended(request, context):
    return waits_ended.get(timeout=context.time_remaining())


methods = {
    "Say": grpc.unary_unary_rpc_method_handler(say),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "Begun": grpc.unary_unary_rpc_method_handler(begun),
    "Ended": grpc.unary_unary_rpc_method_handler(ended),
}
chain, key = (open(path, "rb").read() for path in sys.argv[1:])
server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
services = [grpc.method_handlers_generic_handler(f"lab.{name}", methods) for name in ("Plain", "Sealed")]
server.add_generic_rpc_handlers(services)
assert server.add_insecure_port("192.168.0.201:50051")
assert server.add_secure_port("192.168.0.201:50052", grpc.ssl_server_credentials([(key, chain)]))
server.start()
server.wait_for_termination()
