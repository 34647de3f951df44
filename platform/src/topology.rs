//! Small networks inside this machine: namespaces, one bridge, a cable from it to each namespace.
//! What the demonstration and the end-to-end tests stand on.
//!
//! Everything is anonymous: a namespace is a descriptor, without a name below `/run/netns`. When the
//! last descriptor and the last process in it are gone, however they went, the kernel removes the
//! namespace with its interfaces, so nothing can be left behind. Needs CAP_SYS_ADMIN and
//! CAP_NET_ADMIN in the user namespace that it runs in.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

/// The namespace of the calling thread, which need not be that of its process.
const OF_THIS_THREAD: &str = "/proc/thread-self/ns/net";

/// Why a part of the network could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The kernel knows no such interface: its module is neither built in nor loadable.
    #[error("this kernel has no {kind} interfaces (try \"modprobe {kind}\" as root)")]
    Unsupported {
        /// "bridge" or "veth".
        kind: &'static str,
    },
    /// Not root, and not root of a user namespace either.
    #[error("not permitted to {what}: this needs root, or a user namespace")]
    NotPermitted {
        /// What was tried.
        what: String,
    },
    /// A call failed.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
}

/// A network namespace, held open.
#[derive(Debug)]
pub struct Namespace {
    descriptor: OwnedFd,
}

impl Namespace {
    /// A new one, with nothing in it but its loopback interface, which is up.
    ///
    /// # Errors
    /// [`TopologyError`].
    pub fn new() -> Result<Self, TopologyError> {
        let made = on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Self::of_this_thread()
        });
        let namespace = made.map_err(|error| failure("make a network namespace", error))?;
        namespace.netlink("bring the loopback interface up", async |handle| {
            set_link(&handle, by_name("lo")?.up()).await
        })?;
        Ok(namespace)
    }

    /// The one that the calling thread is in.
    ///
    /// # Errors
    /// Those of open(2); `NotFound` where there is no `/proc`.
    pub fn of_this_thread() -> io::Result<Self> {
        Ok(Self {
            descriptor: File::open(OF_THIS_THREAD)?.into(),
        })
    }

    /// The one that a file names, such as those that `ip netns` keeps below `/run/netns`.
    ///
    /// # Errors
    /// Those of open(2). That the file is of something else shows when it is entered.
    pub fn open(handle: &Path) -> io::Result<Self> {
        Ok(Self {
            descriptor: File::open(handle)?.into(),
        })
    }

    /// What the kernel calls it: the same number that `/proc/PID/ns/net` shows for a process in it.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn number(&self) -> io::Result<u64> {
        let file = File::from(self.descriptor.try_clone()?);
        Ok(file.metadata()?.ino())
    }

    /// Moves the calling thread into it, for the rest of the thread's life.
    ///
    /// # Errors
    /// Those of setns(2).
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.descriptor, CloneFlags::CLONE_NEWNET)?)
    }

    /// Does `work` on a thread of its own in the namespace and waits for it. Sockets opened there
    /// belong to the namespace wherever they are used later.
    ///
    /// # Errors
    /// Those of setns(2) and of starting a thread, as a `work` that panics.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_own_thread(|| {
            self.enter()?;
            Ok(work())
        })
    }

    /// Makes `command` run in the namespace. The command holds it open until it is dropped.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn place(&self, command: &mut Command) -> io::Result<()> {
        enter_before_exec(command, self.descriptor.try_clone()?);
        Ok(())
    }

    /// Lets `work` talk to the kernel's routing socket of the namespace.
    fn netlink<F>(&self, what: &str, work: F) -> Result<(), TopologyError>
    where
        F: AsyncFnOnce(Handle) -> io::Result<()> + Send,
    {
        let done = self.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()?;
            runtime.block_on(async {
                let (connection, handle, _) = rtnetlink::new_connection()?;
                let connection = tokio::spawn(connection);
                let done = work(handle).await;
                connection.abort();
                done
            })
        });
        done.and_then(|done| done)
            .map_err(|error| failure(what, error))
    }
}

/// An Ethernet switch: a Linux bridge that lives as long as its namespace.
#[derive(Debug)]
pub struct Bridge {
    namespace: Namespace,
    name: String,
}

impl Bridge {
    /// Makes a bridge called `name` (at most 15 octets) in `namespace`. It forwards at once: it
    /// does not speak the spanning tree protocol.
    ///
    /// # Errors
    /// [`TopologyError`].
    pub fn new(namespace: Namespace, name: &str) -> Result<Self, TopologyError> {
        namespace
            .netlink(&format!("make the bridge {name}"), async |handle| {
                add_link(&handle, LinkBridge::new(name).build()).await
            })
            .map_err(|error| of_kind(error, "bridge"))?;
        Ok(Self {
            namespace,
            name: name.to_owned(),
        })
    }

    /// The namespace that it is in, with its ports.
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Lays a cable: a port called `port` on the bridge, and at the other end, in `namespace`, an
    /// interface called `interface` with `address`/`prefix`. Both are up.
    ///
    /// # Errors
    /// [`TopologyError`].
    pub fn connect(
        &self,
        port: &str,
        namespace: &Namespace,
        interface: &str,
        address: Ipv4Addr,
        prefix: u8,
    ) -> Result<(), TopologyError> {
        let far_end = LinkMessageBuilder::<LinkUnspec>::new()
            .name(interface)
            .setns_by_fd(namespace.descriptor.as_raw_fd())
            .build();
        self.namespace
            .netlink(&format!("lay the cable {port}"), async |handle| {
                let cable = LinkVeth::new(port, interface)
                    .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
                    .controller(if_nametoindex(self.name.as_str())?)
                    .up();
                add_link(&handle, cable.build()).await
            })
            .map_err(|error| of_kind(error, "veth"))?;
        namespace.netlink(&format!("give {interface} {address}"), async |handle| {
            let index = if_nametoindex(interface)?;
            let address = handle.address().add(index, IpAddr::V4(address), prefix);
            address.execute().await.map_err(netlink_error)?;
            set_link(&handle, by_name(interface)?.up()).await
        })
    }
}

/// The IPv4 addresses on `interface` in the namespace of the calling thread, in the kernel's order.
/// None when there is no such interface.
///
/// # Errors
/// Those of getifaddrs(3).
pub fn addresses(interface: &str) -> io::Result<Vec<Ipv4Addr>> {
    let all = getifaddrs()?.filter(|entry| entry.interface_name == interface);
    Ok(all
        .filter_map(|entry| Some(entry.address?.as_sockaddr_in()?.ip()))
        .collect())
}

/// A namespace belongs to a thread: a thread that is thrown away is the only way back.
fn on_own_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        thread::Builder::new()
            .spawn_scoped(scope, work)?
            .join()
            .map_err(|_| io::Error::other("the work in the namespace panicked"))?
    })
}

#[expect(unsafe_code, reason = "a namespace is entered between fork and exec")]
fn enter_before_exec(command: &mut Command, namespace: OwnedFd) {
    // SAFETY: the closure runs in the child between fork and exec, calls only setns, which is a bare
    // system call, and allocates nothing; the descriptor is owned by the closure and stays open.
    unsafe {
        command.pre_exec(move || Ok(setns(&namespace, CloneFlags::CLONE_NEWNET)?));
    }
}

/// A change to an interface of the calling thread's namespace.
fn by_name(interface: &str) -> io::Result<LinkMessageBuilder<LinkUnspec>> {
    Ok(LinkUnspec::new_with_index(if_nametoindex(interface)?))
}

async fn add_link(handle: &Handle, link: LinkMessage) -> io::Result<()> {
    let request = handle.link().add(link);
    request.execute().await.map_err(netlink_error)
}

async fn set_link(handle: &Handle, link: LinkMessageBuilder<LinkUnspec>) -> io::Result<()> {
    let request = handle.link().set(link.build());
    request.execute().await.map_err(netlink_error)
}

fn netlink_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(refusal) => refusal.to_io(),
        other => io::Error::other(other),
    }
}

fn failure(what: &str, error: io::Error) -> TopologyError {
    let what = what.to_owned();
    if error.kind() == io::ErrorKind::PermissionDenied {
        TopologyError::NotPermitted { what }
    } else {
        TopologyError::System { what, error }
    }
}

/// The kernel's answer to a request for a kind of interface that it does not know.
fn of_kind(error: TopologyError, kind: &'static str) -> TopologyError {
    match error {
        TopologyError::System { error, .. }
            if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) =>
        {
            TopologyError::Unsupported { kind }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_module_is_named() {
        let system = |errno: Errno| TopologyError::System {
            what: "make the bridge".into(),
            error: errno.into(),
        };
        for (errno, said) in [
            (Errno::EOPNOTSUPP, "modprobe bridge"),
            (Errno::EEXIST, "cannot make the bridge"),
        ] {
            let error = of_kind(system(errno), "bridge").to_string();
            assert!(error.contains(said), "{errno}: {error}");
        }
    }

    #[test]
    fn missing_privilege_is_told_apart() {
        let error = failure("make a network namespace", Errno::EPERM.into());
        assert!(matches!(error, TopologyError::NotPermitted { .. }));
    }
}
