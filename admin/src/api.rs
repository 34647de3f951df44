//! `/api/v1`: what the node looks like and what has happened, as JSON.

use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::events::{Follow, GetEvents, RING_MAX};
use crate::server::Site;
use crate::state::GetStatus;
use crate::stream;

/// Events in one answer where the client does not say.
const LIMIT_DEFAULT: usize = 100;

/// `/api/v1/status`: the node's status.
pub(crate) async fn status(site: Data<Site>) -> HttpResponse {
    match site.state.send(GetStatus).await {
        Ok(Some(status)) => HttpResponse::Ok().json(&*status),
        Ok(None) | Err(_) => unavailable("the node has not said anything yet"),
    }
}

/// What of the events is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// Only events with a higher number.
    after: Option<u64>,
    /// At most so many.
    limit: Option<usize>,
    /// `1`: as a stream that does not end.
    stream: Option<u8>,
}

/// `/api/v1/events`: the last events as an array, or all from now on as server-sent events.
pub(crate) async fn events(
    request: HttpRequest,
    site: Data<Site>,
    asked: Result<Query<Selection>, actix_web::Error>,
) -> HttpResponse {
    let Ok(Query(asked)) = asked else {
        return refusal(
            HttpResponse::BadRequest(),
            "use after=NUMBER, limit=NUMBER, stream=1",
        );
    };
    if asked.stream == Some(1) || accepts_stream(&request) {
        let after = last_event_id(&request).or(asked.after);
        return match site.events.send(Follow { after }).await {
            Ok(Some(subscription)) => stream::answer(subscription),
            Ok(None) | Err(_) => unavailable("too many follow the events"),
        };
    }
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT).min(RING_MAX);
    let after = asked.after;
    match site.events.send(GetEvents { after, limit }).await {
        Ok(entries) => {
            let objects: Vec<&str> = entries.iter().map(|entry| entry.json.as_str()).collect();
            HttpResponse::Ok()
                .content_type("application/json")
                .body(format!("[{}]", objects.join(",")))
        }
        Err(_) => unavailable("the process is ending"),
    }
}

fn accepts_stream(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT);
    accept
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/event-stream"))
}

/// Where a browser that lost its stream wants to go on.
fn last_event_id(request: &HttpRequest) -> Option<u64> {
    let id = request.headers().get("last-event-id")?;
    id.to_str().ok()?.parse().ok()
}

pub(crate) fn unavailable(why: &str) -> HttpResponse {
    refusal(HttpResponse::ServiceUnavailable(), why)
}

fn refusal(mut response: actix_web::HttpResponseBuilder, why: &str) -> HttpResponse {
    response.json(serde_json::json!({ "error": why }))
}
