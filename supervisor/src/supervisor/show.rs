//! The node's state, for everybody who shows it.

use std::time::Duration;

use actix::prelude::*;
use ipc::proxy::ToProxy;

use super::Supervisor;
use crate::child::Tell;

/// Between two messages about the node's state to everybody who shows it.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

impl Supervisor {
    /// Shows the node's state to everybody soon; many changes at once make one message.
    pub(super) fn status_changed(&mut self, ctx: &mut Context<Self>) {
        if self.status_due.is_none() {
            self.status_due = Some(ctx.run_later(STATUS_INTERVAL, |supervisor, _| {
                supervisor.status_due = None;
                supervisor.show_status();
            }));
        }
    }

    pub(super) fn show_status(&self) {
        let Some(children) = &self.children else {
            return;
        };
        let status = Box::new(self.status());
        for slot in 0..children.proxy_count() {
            let message = ToProxy::Status(status.clone());
            children.tell_proxy(
                slot,
                Tell {
                    message,
                    descriptors: Vec::new(),
                },
            );
        }
        children.tell_admin(ipc::admin::ToAdmin::Status(status));
    }

    pub(super) fn status(&self) -> ipc::status::NodeStatus {
        let well = self.proxy_health.is_well();
        self.node.status(
            &self.settings,
            self.generation,
            well,
            &self.holdings.counters,
            &self.holdings.gauges,
        )
    }
}
