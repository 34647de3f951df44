//! gRPC with its own library at both ends (Debian's python3-grpcio), HTTP/2 all the way, with TLS in front
//! and without: streams in both directions at once, and an end that only trailers tell.

use std::process::Command;

use lab::{Certificate, Lan, Node, Running};

/// Debian's, which has Debian's modules.
const PYTHON: &str = "/usr/bin/python3";

const CONFIGURATION: &str = r#"
[nodes.proxy101]
address = "192.168.0.101"

[listeners.web]
bind = ["192.168.0.101:80"]
http2 = true

[listeners.secure]
bind = ["192.168.0.101:443"]
tls = { certificates = [{ chain = "CHAIN", key = "KEY" }] }

[[routes]]
path = "/lab.Echo/"
upstream = "echo"

[upstreams.echo]
servers = [{ address = "192.168.0.201:50051" }]
protocol = "h2c"
"#;

/// Messages are octets as they are: what they mean is no affair of a proxy.
const SERVER: &str = r#"
import concurrent.futures, grpc

def say(request, context):
    context.set_trailing_metadata((("seen", str(len(request))),))
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
    import threading
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()
    return b""

methods = {
    "Say": grpc.unary_unary_rpc_method_handler(say),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
}
server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lab.Echo", methods),))
assert server.add_insecure_port("192.168.0.201:50051")
server.start()
server.wait_for_termination()
"#;

/// Takes the certificate to trust, or none to come without TLS.
const CLIENT: &str = r#"
import grpc, queue, sys

if sys.argv[1:]:
    with open(sys.argv[1], "rb") as certificate:
        trusted = grpc.ssl_channel_credentials(certificate.read())
    name = (("grpc.ssl_target_name_override", "www.example.org"),)
    channel = grpc.secure_channel("192.168.0.101:443", trusted, name)
else:
    channel = grpc.insecure_channel("192.168.0.101:80")

def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it succeeds")

say = channel.unary_unary("/lab.Echo/Say")
for message in (b"", b"hello", b"x" * 3_000_000):
    answer, call = say.with_call(message, timeout=20)
    assert answer == message
    assert call.trailing_metadata()[0] == ("seen", str(len(message)))

numbers = list(channel.unary_stream("/lab.Echo/Count")(b"1000", timeout=20))
assert numbers == [b"%d" % number for number in range(1000)]

pieces = (b"x" * 1000 for _ in range(1000))
assert channel.stream_unary("/lab.Echo/Collect")(pieces, timeout=20) == b"1000000"

# Each message is only sent when the one before has been answered.
said = queue.SimpleQueue()
answers = channel.stream_stream("/lab.Echo/Talk")(iter(said.get, None), timeout=20)
for word in (b"one", b"two", b"three"):
    said.put(word)
    assert next(answers) == word.upper()
said.put(None)
assert list(answers) == []

error = failure(lambda: channel.unary_unary("/lab.Echo/Fail")(b"", timeout=20))
assert error.code() == grpc.StatusCode.NOT_FOUND
assert error.details() == "there is no \u00fcmlaut"
error = failure(lambda: channel.unary_unary("/lab.Nobody/Say")(b"", timeout=20))
assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
error = failure(lambda: channel.unary_unary("/lab.Echo/Wait")(b"", timeout=0.2))
assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
assert say(b"still", timeout=20) == b"still"
print("all is well")
"#;

#[test]
fn grpc_goes_from_end_to_end() {
    let lan = Lan::new();
    let (app, client) = (lan.host("app201"), lan.host("client"));
    let mut command = Command::new(PYTHON);
    command.args(["-c", SERVER]);
    let _server = app.inside(|| Running::start(command, &app.files().join("grpc.log")));
    app.wait_for_port(50051);
    let proxy = lan.host("proxy101");
    let certificate = Certificate::make(proxy.files(), "www");
    let chain = certificate.chain.display().to_string();
    let key = certificate.key.display().to_string();
    let configuration = CONFIGURATION.replace("CHAIN", &chain).replace("KEY", &key);
    let node = Node::start(proxy, &configuration);
    node.wait_for_service();
    let talk = [PYTHON, "-c", CLIENT, &chain];
    for arguments in [&talk[..], &talk[..3]] {
        assert_eq!(client.run(arguments), "all is well\n");
    }
}
