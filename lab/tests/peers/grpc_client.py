"""Calls every method of a service: its name, what its server sees ("ssl" or "insecure"), and the certificate to trust, or
none to come without TLS."""

import queue
import sys

import grpc

service, transport = sys.argv[1:3]
if sys.argv[3:]:
    with open(sys.argv[3], "rb") as certificate:
        trusted = grpc.ssl_channel_credentials(certificate.read())
    name = (("grpc.ssl_target_name_override", "www.example.org"),)
    channel = grpc.secure_channel("192.168.0.101:443", trusted, name)
else:
    channel = grpc.insecure_channel("192.168.0.101:80")


def unary(method):
    return channel.unary_unary(f"/lab.{service}/{method}")


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it succeeds")


say = unary("Say")
for message in (b"", b"hello", b"x" * 3_000_000):
    answer, call = say.with_call(message, timeout=20)
    assert answer == message
    trailers = dict(call.trailing_metadata())
    assert (trailers["seen"], trailers["transport"]) == (str(len(message)), transport), trailers

numbers = list(channel.unary_stream(f"/lab.{service}/Count")(b"1000", timeout=20))
assert numbers == [b"%d" % number for number in range(1000)]

pieces = (b"x" * 1000 for _ in range(1000))
assert channel.stream_unary(f"/lab.{service}/Collect")(pieces, timeout=20) == b"1000000"

# Each message is only sent when the one before has been answered.
said = queue.SimpleQueue()
answers = channel.stream_stream(f"/lab.{service}/Talk")(iter(said.get, None), timeout=20)
for word in (b"one", b"two", b"three"):
    said.put(word)
    assert next(answers) == word.upper()
said.put(None)
assert list(answers) == []

error = failure(lambda: unary("Fail")(b"", timeout=20))
assert error.code() == grpc.StatusCode.NOT_FOUND
assert error.details() == "there is no \u00fcmlaut"
error = failure(lambda: channel.unary_unary("/lab.Nobody/Say")(b"", timeout=20))
assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error

# The server learns the deadline, and its stream ends.
error = failure(lambda: unary("Wait")(b"", timeout=1))
assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
assert 0 < float(unary("Begun")(b"", timeout=20)) < 2
assert unary("Ended")(b"", timeout=20) == b"ended"

# A call that is given up ends at the server long before its deadline.
call = unary("Wait").future(b"", timeout=600)
assert 500 < float(unary("Begun")(b"", timeout=20)) < 601
call.cancel()
assert unary("Ended")(b"", timeout=20) == b"ended"

assert say(b"still", timeout=20) == b"still"
print("all is well")
