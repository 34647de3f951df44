//! The actor that holds what the node looks like now.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};
use ipc::status::NodeStatus;

/// The node changed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SetStatus(pub(crate) NodeStatus);

/// Asks for the node; `None` before the supervisor has told anything.
#[derive(Message)]
#[rtype(result = "Option<Arc<NodeStatus>>")]
pub(crate) struct GetStatus;

/// The actor.
#[derive(Default)]
pub(crate) struct State {
    status: Option<Arc<NodeStatus>>,
}

impl Actor for State {
    type Context = Context<Self>;
}

impl Handler<SetStatus> for State {
    type Result = ();

    fn handle(&mut self, SetStatus(status): SetStatus, _: &mut Context<Self>) {
        self.status = Some(Arc::new(status));
    }
}

impl Handler<GetStatus> for State {
    type Result = Option<Arc<NodeStatus>>;

    fn handle(&mut self, _: GetStatus, _: &mut Context<Self>) -> Self::Result {
        self.status.clone()
    }
}
