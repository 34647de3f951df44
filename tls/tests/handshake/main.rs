//! Handshakes, in memory, with what the configuration comes to.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::net::IpAddr;

use ipc::proxy::{ClientAuth, ListenerTls, UpstreamTls};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion};
use tls::{Authorities, Client, H2, HTTP_11, Server, TicketKeys};

use world::{Authority, ECDSA, RSA, ask, client, der, listener, shake, simple_server, upstream};

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];

fn server(spec: &ListenerTls) -> Server {
    server_trusting(&Authorities::default(), spec).unwrap()
}

fn server_trusting(authorities: &Authorities, spec: &ListenerTls) -> Result<Server, tls::Fault> {
    Server::new(spec, "public", true, authorities, &TicketKeys::default())
}

/// Rule 44: a name that no certificate has is not served with another's.
#[test]
fn name_decides_which_certificate_is_shown() {
    let authority = Authority::new("ours");
    let certificates = [
        authority.sign(&["first.test"]),
        authority.sign(&["www.example.org", "example.org"]),
        authority.sign(&["*.example.org"]),
    ];
    let server = server(&listener(&certificates));
    let config = client(BOTH, ECDSA, None);
    let cases = [
        ("first.test", Some(0)),
        ("www.example.org", Some(1)),
        ("EXAMPLE.org", Some(1)),
        ("api.example.org", Some(2)),
        ("a.api.example.org", None),
        ("unknown.test", None),
        // An address is not asked for (RFC 6066 §3).
        ("192.0.2.1", Some(0)),
    ];
    for (name, expected) in cases {
        let asked = (!name.ends_with('1')).then_some(name);
        assert_eq!(server.knows(asked), expected.is_some(), "{name}");
        let shown = shake(ask(&config, name), server.config()).ok();
        let shown = shown.map(|(client, _)| client.peer_certificates().unwrap()[0].clone());
        assert_eq!(
            shown,
            expected.map(|index| der(&certificates[index])),
            "{name}"
        );
    }
}

#[test]
fn ecdsa_goes_before_rsa_where_the_client_can() {
    let authority = Authority::new("ours");
    let names = &["example.org"];
    let rsa = authority.sign_with(names, &PKCS_RSA_SHA256, 2100);
    let ecdsa = authority.sign(names);
    let server = server(&listener(&[rsa.clone(), ecdsa.clone()]));
    for version in BOTH {
        let both = [ECDSA, RSA].concat();
        for (schemes, expected) in [(ECDSA, &ecdsa), (RSA, &rsa), (&both, &ecdsa)] {
            let config = client(&[version], schemes, None);
            let (client, _) = shake(ask(&config, "example.org"), server.config()).unwrap();
            assert_eq!(client.peer_certificates().unwrap()[0], der(expected));
        }
    }
}

#[test]
fn rule_43_clients_without_a_valid_certificate_do_not_get_in() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let good = ours.sign(&["client"]);
    let expired = ours.sign_with(&["client"], &PKCS_ECDSA_P256_SHA256, 2020);
    let stranger = foreign.sign(&["client"]);
    let authorities = Authorities::new(&[ours.pem(), foreign.pem()]);
    let cases = [
        (ClientAuth::Off, None, true),
        (ClientAuth::Off, Some(&stranger), true),
        (ClientAuth::Optional(0), None, true),
        (ClientAuth::Optional(0), Some(&good), true),
        (ClientAuth::Optional(0), Some(&stranger), false),
        (ClientAuth::Optional(0), Some(&expired), false),
        (ClientAuth::Required(0), None, false),
        (ClientAuth::Required(0), Some(&good), true),
        (ClientAuth::Required(0), Some(&stranger), false),
        (ClientAuth::Required(0), Some(&expired), false),
    ];
    for (client_auth, shown, gets_in) in cases {
        let spec = ListenerTls {
            client_auth,
            ..listener(&[ours.sign(&["example.org"])])
        };
        let server = server_trusting(&authorities, &spec).unwrap();
        for version in BOTH {
            let config = client(&[version], ECDSA, shown);
            let result = shake(ask(&config, "example.org"), server.config());
            assert_eq!(
                result.is_ok(),
                gets_in,
                "{client_auth:?} {:?}",
                result.err()
            );
        }
    }
}

#[test]
fn rule_43_a_ca_that_cannot_be_used_is_no_configuration() {
    let authority = Authority::new("ours");
    let broken = [
        authority.pem(),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n".to_vec(),
    ]
    .concat();
    let no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let unusable = [Vec::new(), b"text".to_vec(), broken, no_certificate];
    let authorities = Authorities::new(&unusable);
    // The last is one that did not come along.
    for index in 0..=4 {
        for client_auth in [ClientAuth::Optional(index), ClientAuth::Required(index)] {
            let spec = ListenerTls {
                client_auth,
                ..listener(&[authority.sign(&["example.org"])])
            };
            let made = server_trusting(&authorities, &spec);
            assert_eq!(made.unwrap_err().part, tls::Part::Ca);
        }
    }
}

#[test]
fn rules_43_and_45_sessions_are_resumed_by_any_worker_at_their_listener_only() {
    let authority = Authority::new("ours");
    let keys = [tls::fresh_ticket_key().unwrap()];
    let worker = || {
        let tickets = TicketKeys::default();
        tickets.replace(&keys);
        tickets
    };
    let spec = listener(&[authority.sign(&["example.org"])]);
    let asked = ListenerTls {
        client_auth: ClientAuth::Optional(0),
        ..spec.clone()
    };
    let without = ListenerTls {
        tickets: false,
        ..spec.clone()
    };
    let authorities = Authorities::new(&[authority.pem()]);
    let server = |spec, name, tickets| Server::new(spec, name, true, &authorities, &tickets);
    let first = server(&spec, "public", worker()).unwrap();
    let cases = [
        (server(&spec, "public", worker()), HandshakeKind::Resumed),
        (server(&spec, "private", worker()), HandshakeKind::Full),
        (server(&asked, "public", worker()), HandshakeKind::Full),
        (server(&without, "public", worker()), HandshakeKind::Full),
        (
            server(&spec, "public", TicketKeys::default()),
            HandshakeKind::Full,
        ),
    ];
    for (second, expected) in cases {
        let second = second.unwrap();
        for version in BOTH {
            let config = client(&[version], ECDSA, None);
            let (full, _) = shake(ask(&config, "example.org"), first.config()).unwrap();
            assert_eq!(full.handshake_kind(), Some(HandshakeKind::Full));
            let (again, _) = shake(ask(&config, "example.org"), second.config()).unwrap();
            assert_eq!(again.handshake_kind(), Some(expected));
        }
    }
}

#[test]
fn protocols_and_versions_are_those_of_the_listener() {
    let authority = Authority::new("ours");
    let new_only = ListenerTls {
        tls12: false,
        ..listener(&[authority.sign(&["example.org"])])
    };
    let old = client(&[&TLS12], ECDSA, None);
    assert!(shake(ask(&old, "example.org"), server(&new_only).config()).is_err());
    let (_, new) = shake(
        ask(&client(BOTH, ECDSA, None), "example.org"),
        server(&new_only).config(),
    )
    .unwrap();
    assert_eq!(new.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    type Name = &'static [u8];
    /// Whether HTTP/2 is on, what is offered, and what comes of it.
    type Case = (bool, &'static [Name], Option<Option<Name>>);
    let cases: &[Case] = &[
        (true, &[b"http/1.1", b"h2"], Some(Some(b"h2"))),
        (false, &[b"h2", b"http/1.1"], Some(Some(b"http/1.1"))),
        (true, &[], Some(None)),
        (false, &[b"h2"], None),
    ];
    for (http2, offered, expected) in cases {
        let (authorities, tickets) = (Authorities::default(), TicketKeys::default());
        let server = Server::new(&new_only, "public", *http2, &authorities, &tickets).unwrap();
        let mut config = (*client(BOTH, ECDSA, None)).clone();
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let agreed = shake(ask(&config.into(), "example.org"), server.config()).ok();
        let agreed = agreed.map(|(client, _)| client.alpn_protocol().map(<[u8]>::to_vec));
        let expected = expected.map(|name| name.map(<[u8]>::to_vec));
        assert_eq!(agreed, expected, "{http2} {offered:?}");
    }
}

#[test]
fn servers_are_checked_unless_nobody_wants_it() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let names = &["app.example.org", "192.0.2.1"];
    let good = ours.sign(names);
    let expired = ours.sign_with(names, &PKCS_ECDSA_P256_SHA256, 2020);
    let unchecked = UpstreamTls {
        ca: None,
        ..upstream(None)
    };
    let foreigners = UpstreamTls {
        ca: Some(1),
        ..upstream(None)
    };
    let authorities = Authorities::new(&[ours.pem(), foreign.pem()]);
    let name = |name| upstream(Some(name));
    let cases = [
        (name("app.example.org"), &good, ""),
        (upstream(None), &good, ""),
        (
            name("other.example.org"),
            &good,
            "its certificate is for another name (`sni`)",
        ),
        (
            name("app.example.org"),
            &expired,
            "its certificate has expired",
        ),
        (
            foreigners,
            &good,
            "its certificate is signed by nobody who is trusted (`ca`)",
        ),
        (
            upstream(None),
            &ours.itself(),
            "its certificate is that of a signer (CA:TRUE), and of no server",
        ),
        (unchecked, &expired, ""),
    ];
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    for (spec, shown, expected) in cases {
        let client = Client::new(&spec, &authorities, HTTP_11).unwrap();
        let connection = client.connection(address).unwrap();
        let result = shake(connection, simple_server(shown));
        let why = result.err();
        let why = why.map(|error| tls::reason(&std::io::Error::other(error)));
        assert_eq!(why.unwrap_or_default(), expected, "{spec:?}");
    }
}

/// What a reload leaves as it is goes on with its connections, whatever index it has now.
#[test]
fn clients_are_the_same_where_everything_they_are_made_of_is() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let (first, second) = (ours.sign(&["client"]), ours.sign(&["client"]));
    let one = Authorities::new(&[ours.pem()]);
    let two = Authorities::new(&[foreign.pem(), ours.pem()]);
    let with = |ca, sni, client: Option<&_>| UpstreamTls {
        ca,
        sni: Some(String::from(sni)),
        client: client.cloned(),
    };
    let plain = with(Some(0), "a.test", None);
    let made = |spec: &UpstreamTls, authorities: &Authorities, protocol: &[u8]| {
        Client::new(spec, authorities, protocol).unwrap()
    };
    let before = made(&plain, &one, HTTP_11);
    let shown = made(&with(Some(0), "a.test", Some(&first)), &one, HTTP_11);
    let cases = [
        (
            &before,
            made(&with(Some(1), "a.test", None), &two, HTTP_11),
            true,
        ),
        (&before, made(&plain, &two, HTTP_11), false),
        (
            &before,
            made(&with(None, "a.test", None), &one, HTTP_11),
            false,
        ),
        (
            &before,
            made(&with(Some(0), "b.test", None), &one, HTTP_11),
            false,
        ),
        (&before, made(&plain, &one, H2), false),
        (
            &shown,
            made(&with(Some(0), "a.test", Some(&first)), &one, HTTP_11),
            true,
        ),
        (
            &shown,
            made(&with(Some(0), "a.test", Some(&second)), &one, HTTP_11),
            false,
        ),
    ];
    for (number, (before, after, same)) in cases.into_iter().enumerate() {
        assert_eq!(*before == after, same, "case {number}");
    }
}
