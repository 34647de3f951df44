//! `/metrics`: the node in numbers, for Prometheus.
//!
//! One text that both the OpenMetrics and the older Prometheus parser read. Beside our own names
//! stand those of the exporters that users had before, so that their dashboards go on.

mod exporters;
mod families;
mod own;

use std::fmt;
use std::sync::Arc;

use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ipc::status::NodeStatus;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::api::unavailable;
use crate::metrics::families::Families;
use crate::server::Site;
use crate::state::GetStatus;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page.
pub(crate) async fn page(request: HttpRequest, site: Data<Site>) -> HttpResponse {
    let Ok(Some(status)) = site.state.send(GetStatus).await else {
        return unavailable("the node has not said anything yet");
    };
    match render(status) {
        Ok(text) => HttpResponse::Ok()
            .content_type(if accepts_open_metrics(&request) {
                OPEN_METRICS
            } else {
                TEXT
            })
            .body(text),
        Err(fmt::Error) => unavailable("the metrics cannot be written"),
    }
}

fn accepts_open_metrics(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT);
    accept
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("application/openmetrics-text"))
}

fn render(status: Arc<NodeStatus>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Node(status)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// The node, written anew for each scrape.
#[derive(Debug)]
struct Node(Arc<NodeStatus>);

impl Collector for Node {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        own::write(&mut families, &self.0)?;
        exporters::write_keepalived(&mut families, &self.0)?;
        exporters::write_nginx(&mut families, &self.0)
    }
}

#[cfg(test)]
mod tests;
