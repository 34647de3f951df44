//! gRPC with its own library at both ends (Debian's python3-grpcio), HTTP/2 all the way, on either side with
//! TLS and without: streams in both directions at once, an end that only trailers tell, and calls that end
//! at the server because the client's patience or interest does.

use lab::{Certificate, Lan, Node, PYTHON};

const SERVER: &str = include_str!("peers/grpc_server.py");
const CLIENT: &str = include_str!("peers/grpc_client.py");

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
path = "/lab.Plain/"
upstream = "plain"

[[routes]]
path = "/lab.Sealed/"
upstream = "sealed"

[upstreams.plain]
servers = [{ address = "192.168.0.201:50051" }]
protocol = "h2c"
check = { http = "/lab.Plain/Say" }

[upstreams.sealed]
servers = [{ address = "192.168.0.201:50052" }]
protocol = "h2"
tls = { ca = "CHAIN", sni = "www.example.org" }
check = { http = "/lab.Sealed/Say" }
"#;

#[test]
fn grpc_goes_from_end_to_end() {
    let lan = Lan::new();
    let (app, client, proxy) = (lan.host("app201"), lan.host("client"), lan.host("proxy101"));
    // One certificate for whoever is www.example.org: the proxy and, to the proxy, the server.
    let certificate = Certificate::make(lan.files(), "www");
    let chain = certificate.chain.display().to_string();
    let key = certificate.key.display().to_string();
    let _server = app.start("grpc", &[PYTHON, "-c", SERVER, &chain, &key]);
    for port in [50051, 50052] {
        app.wait_for_port(port);
    }
    let configuration = CONFIGURATION.replace("CHAIN", &chain).replace("KEY", &key);
    let node = Node::start(proxy, &configuration);
    node.wait_for_service();
    // They speak nothing but HTTP/2, and tell errors of gRPC in trailers.
    node.wait_for_checks(2, "status 200");
    for (service, transport) in [("Plain", "insecure"), ("Sealed", "ssl")] {
        let talk = [PYTHON, "-c", CLIENT, service, transport, &chain];
        for arguments in [&talk[..], &talk[..5]] {
            assert_eq!(client.run(arguments), "all is well\n", "{arguments:?}");
        }
    }
}
