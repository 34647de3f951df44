//! The two pages that the proxy has of its own: the virtual routers, and nginx's seven numbers.

use std::fmt::Write as _;

use ipc::status::{NodeStatus, Traffic};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// nginx's `stub_status`, octet for octet.
pub(crate) fn stub_status(traffic: &Traffic) -> String {
    format!(
        "Active connections: {} \nserver accepts handled requests\n {} {} {} \n\
         Reading: {} Writing: {} Waiting: {} \n",
        traffic.active,
        traffic.accepted,
        traffic.handled,
        traffic.requests,
        traffic.reading,
        traffic.writing,
        traffic.waiting
    )
}

/// The virtual routers, one a line: when the state was entered, as date(1) prints it, who we are,
/// and what a notify script is told.
pub(crate) fn status_text(status: &NodeStatus, zone: &TimeZone) -> String {
    let mut page = String::new();
    for router in &status.routers {
        let since = date(router.since_unix_ms, zone);
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "{since} {} INSTANCE {} {} {}",
            status.node, router.name, router.state, router.priority
        );
    }
    page
}

/// The same for a browser, with the servers; it loads itself anew every second.
pub(crate) fn status_html(status: &NodeStatus, zone: &TimeZone) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"1\"><title>{0}</title><style>{STYLE}</style>\
         </head><body>\n<h1>{0} <small>{1}</small></h1>\n\
         <table><tr><th>since<th>virtual router<th>state<th>priority<th>addresses</tr>\n",
        escape(&status.node),
        escape(&status.cluster)
    );
    for router in &status.routers {
        let addresses: Vec<_> = router.addresses.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td class=\"{state}\">{state}<td>{}<td>{}</tr>",
            escape(&date(router.since_unix_ms, zone)),
            escape(&router.name),
            router.priority,
            addresses.join(" "),
            state = router.state,
        );
    }
    page.push_str("</table>\n<table><tr><th>since<th>upstream<th>server<th>state<th></tr>\n");
    for server in &status.servers {
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{}<td class=\"{state}\">{state}<td>{}</tr>",
            escape(&date(server.since_unix_ms, zone)),
            escape(&server.upstream),
            server.address,
            escape(&server.reason),
            state = if server.up { "UP" } else { "DOWN" },
        );
    }
    page.push_str("</table>\n</body></html>\n");
    page
}

const STYLE: &str = "body{font:16px system-ui,sans-serif;margin:2em;color:#222}\
    table{border-collapse:collapse;margin:1em 0}th,td{text-align:left;padding:.3em .9em;\
    border-bottom:1px solid #ddd}small{color:#888;font-weight:400}\
    .MASTER,.UP{color:#087830;font-weight:600}.BACKUP{color:#805b00}\
    .FAULT,.STOP,.DOWN{color:#b00020;font-weight:600}";

/// Whether a client would rather have HTML than plain text: it names it, and plain text not before.
pub(crate) fn prefers_html(accept: &[u8]) -> bool {
    let place = |kind: &[u8]| {
        accept
            .windows(kind.len())
            .position(|part| part.eq_ignore_ascii_case(kind))
    };
    match (place(b"text/html"), place(b"text/plain")) {
        (Some(html), Some(plain)) => html < plain,
        (html, _) => html.is_some(),
    }
}

/// A moment in a log line: 14/Dec/2015:16:27:10 +0000.
pub(crate) fn log_time(now: &Zoned) -> String {
    now.strftime("%d/%b/%Y:%H:%M:%S %z").to_string()
}

fn date(unix_ms: u64, zone: &TimeZone) -> String {
    let moment = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let moment = moment
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone());
    moment.strftime("%a %b %e %H:%M:%S %Z %Y").to_string()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
pub(crate) mod tests {
    use ipc::status::{
        Band, RouterState, RouterStatus, ServerStatus, TimerStatus, UpstreamTraffic,
    };

    use super::*;

    pub(crate) fn status() -> NodeStatus {
        NodeStatus {
            cluster: "api-gateway".into(),
            node: "proxy101".into(),
            version: "0".into(),
            generation: 1,
            started_unix_ms: 0,
            proxy_well: true,
            routers: vec![RouterStatus {
                name: "YN_API_GATEWAY".into(),
                vrid: 101,
                interface: "em1".into(),
                state: RouterState::Master,
                priority: 202,
                base_priority: 200,
                band: Band::Healthy,
                track_proxy: true,
                tracks: Vec::new(),
                since_unix_ms: 1_450_110_430_000,
                cause: "test".into(),
                addresses: vec!["192.168.0.105".parse().unwrap()],
                master: None,
                adverts_sent: 0,
                adverts_received: 0,
                discarded: Vec::new(),
                address_list_differs: 0,
                message_only_checksums: 0,
                became_master: 1,
                ceased_master: 0,
                releases_sent: 0,
                releases_received: 0,
                announcements_sent: 0,
                contested: 0,
            }],
            timers: TimerStatus::default(),
            servers: vec![ServerStatus {
                upstream: "app".into(),
                address: "192.168.0.201:80".parse().unwrap(),
                up: false,
                reason: "<refused>".into(),
                since_unix_ms: 0,
            }],
            tracks: Vec::new(),
            processes: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    #[test]
    fn status_line_is_that_of_the_article() {
        assert_eq!(
            status_text(&status(), &TimeZone::UTC),
            "Mon Dec 14 16:27:10 UTC 2015 proxy101 INSTANCE YN_API_GATEWAY MASTER 202\n"
        );
    }

    #[test]
    fn page_for_a_browser_escapes_what_it_shows() {
        let page = status_html(&status(), &TimeZone::UTC);
        assert!(
            page.contains("<td class=\"MASTER\">MASTER<td>202<td>192.168.0.105"),
            "{page}"
        );
        assert!(
            page.contains("<td class=\"DOWN\">DOWN<td>&lt;refused&gt;"),
            "{page}"
        );
    }

    #[test]
    fn stub_status_is_that_of_nginx() {
        let traffic = Traffic {
            active: 291,
            accepted: 16_630_948,
            handled: 16_630_948,
            headers_refused: 0,
            handshakes_failed: 0,
            shed: 0,
            crowded: 0,
            requests: 31_070_465,
            reading: 6,
            writing: 179,
            waiting: 106,
            upstreams: UpstreamTraffic::default(),
        };
        assert_eq!(
            stub_status(&traffic),
            "Active connections: 291 \nserver accepts handled requests\n \
             16630948 16630948 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n"
        );
    }

    #[test]
    fn browsers_get_html_and_curl_gets_text() {
        let cases: [(&[u8], bool); 5] = [
            (b"text/html,application/xhtml+xml,*/*;q=0.8", true),
            (b"*/*", false),
            (b"", false),
            (b"text/plain, text/html", false),
            (b"TEXT/HTML", true),
        ];
        for (accept, html) in cases {
            assert_eq!(prefers_html(accept), html);
        }
    }

    #[test]
    fn log_time_is_that_of_nginx() {
        let moment = Timestamp::from_second(1_450_110_430)
            .unwrap()
            .to_zoned(TimeZone::UTC);
        assert_eq!(log_time(&moment), "14/Dec/2015:16:27:10 +0000");
    }
}
