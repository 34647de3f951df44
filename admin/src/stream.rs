//! Events as they happen: server-sent events (HTML standard, §9.2).

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

use crate::events::{Entry, Subscription};

/// A comment goes out after this much silence, so that middle boxes keep the connection and a client
/// that left is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The first line: how long a client waits before it connects anew.
const OPENING: &str = "retry: 1000\n\n";

/// The answer that does not end before the client leaves or falls behind.
pub(crate) fn answer(subscription: Subscription) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(chunks(subscription))
}

fn chunks(subscription: Subscription) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let Subscription { past, live } = subscription;
    let mut opening = String::from(OPENING);
    for entry in past {
        write_event(&mut opening, &entry);
    }
    let live = stream::unfold(live, async |mut live| {
        let text = match tokio::time::timeout(KEEP_ALIVE, live.recv()).await {
            Ok(Some(entry)) => {
                let mut text = String::new();
                write_event(&mut text, &entry);
                text
            }
            Ok(None) => return None,
            Err(_) => ": still here\n\n".into(),
        };
        Some((text, live))
    });
    stream::once(async { opening })
        .chain(live)
        .map(|text| Ok(Bytes::from(text)))
}

fn write_event(text: &mut String, entry: &Entry) {
    // writing to a string cannot fail
    let _ = write!(text, "id: {}\ndata: {}\n\n", entry.seq, entry.json);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;

    fn entry(seq: u64) -> Arc<Entry> {
        let json = format!("{{\"seq\":{seq}}}");
        Arc::new(Entry { seq, json })
    }

    #[actix_rt::test]
    async fn past_then_live_then_the_end() {
        let (sender, live) = mpsc::channel(4);
        let past = vec![entry(1), entry(2)];
        sender.try_send(entry(3)).unwrap();
        drop(sender);
        let chunks: Vec<_> = chunks(Subscription { past, live }).collect().await;
        let text: Vec<_> = chunks.into_iter().map(Result::unwrap).collect();
        let expected = [
            "retry: 1000\n\nid: 1\ndata: {\"seq\":1}\n\nid: 2\ndata: {\"seq\":2}\n\n",
            "id: 3\ndata: {\"seq\":3}\n\n",
        ];
        assert_eq!(text, expected);
    }
}
