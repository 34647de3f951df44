//! The interfaces of this machine as they are now, for every router to look at.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use platform::interfaces::{Changes, Interface, Interfaces};
use tokio::sync::watch;

/// The newest list. Who is slow misses older ones, not the newest.
pub(crate) type Links = watch::Receiver<Rc<[Interface]>>;

/// After a failure, when the kernel is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Begins to watch.
///
/// # Errors
/// When there is no netlink.
pub(crate) fn watch() -> io::Result<Links> {
    let mut changes = Changes::watch()?;
    let mut interfaces = Interfaces::open()?;
    let (publish, links) = watch::channel(interfaces.list()?.into());
    actix_rt::spawn(async move {
        while !publish.is_closed() {
            let listed = match changes.next().await {
                Ok(()) => interfaces.list(),
                Err(error) => Err(error),
            };
            match listed {
                Ok(list) => drop(publish.send_replace(list.into())),
                Err(error) => {
                    tracing::warn!("cannot list the interfaces: {error}");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    });
    Ok(links)
}
