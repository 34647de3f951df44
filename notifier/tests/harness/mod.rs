//! The real notifier behind the real link, and the servers that it talks to.

pub(crate) mod http;
pub(crate) mod smtp;

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipc::event::{Event, Severity, TransitionEvent, What};
use ipc::notify::{FromNotify, NotifySnapshot, SinkKind, SinkSpec, ToNotify};
use ipc::status::RouterState;
use ipc::{FromChild, Role, ToChild, Welcome, codec};
use link::{Link, LinkError};
use platform::process::Image;
use platform::seqpacket::SeqPacket;
use tokio::process::Child;

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `what`, not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// A running notifier and this test in the place of its supervisor.
pub(crate) struct Notifier {
    pub(crate) child: Child,
    pub(crate) link: Link<ToChild<ToNotify>, FromChild<FromNotify>>,
    place: PathBuf,
    generation: u64,
}

impl Notifier {
    /// Starts the program with its journal in `place`, and configures it.
    pub(crate) async fn start(place: &Path, sinks: Vec<SinkSpec>) -> Self {
        let (ours, its) = SeqPacket::pair().unwrap();
        let image = Image::open(Path::new(env!("CARGO_BIN_EXE_evenkeel-notify"))).unwrap();
        let mut notifier = Self {
            child: image.start("evenkeel: notify", its).unwrap(),
            link: Link::new(ours).unwrap(),
            place: place.into(),
            generation: 0,
        };
        let (uid, gid) = owner(place);
        notifier.say(&ToChild::Welcome(Welcome {
            version: ipc::VERSION,
            role: Role::Notify,
            slot: 0,
            uid,
            gid,
            log_level: "debug".into(),
            realtime: false,
        }));
        let hello = notifier.hear().await;
        assert!(matches!(hello, FromChild::Hello { .. }), "{hello:?}");
        notifier.configure(sinks).await.unwrap();
        notifier
    }

    /// Prepares and commits a configuration; `Err` with the notifier's words when it refuses.
    pub(crate) async fn configure(&mut self, sinks: Vec<SinkSpec>) -> Result<(), String> {
        self.generation += 1;
        let generation = self.generation;
        let files = open_files(&sinks);
        let snapshot = NotifySnapshot {
            cluster: "api-gateway".into(),
            node: "proxy101".into(),
            sinks,
        };
        let bytes = codec::encode_snapshot(&snapshot).unwrap();
        let mut descriptors: Vec<OwnedFd> = vec![
            platform::memfd::sealed("notify", &bytes).unwrap(),
            File::open(&self.place).unwrap().into(),
        ];
        descriptors.extend(files);
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        self.link
            .send(&ToChild::Prepare { generation }, &borrowed)
            .unwrap();
        match self.hear().await {
            FromChild::Refused { why, .. } => return Err(why),
            answer => assert_eq!(answer, FromChild::Prepared { generation }),
        }
        self.say(&ToChild::Commit { generation });
        assert_eq!(self.hear().await, FromChild::Committed { generation });
        Ok(())
    }

    pub(crate) fn say(&self, message: &ToChild<ToNotify>) {
        self.link.send(message, &[]).unwrap();
    }

    /// The next message that is not about queues.
    async fn hear(&self) -> FromChild<FromNotify> {
        soon("an answer", async {
            loop {
                let message = self.link.receive().await.unwrap().message;
                if !matches!(message, FromChild::Role(FromNotify::Queues(_))) {
                    return message;
                }
            }
        })
        .await
    }

    /// Tells of an event and waits until it is in the journal; gives its number.
    pub(crate) async fn record(&self, what: What) -> u64 {
        let event = Event {
            at_unix_ms: platform::clock::unix_ms(),
            severity: Severity::Warning,
            what,
        };
        self.say(&ToChild::Role(ToNotify::Event(event.clone())));
        match self.hear().await {
            FromChild::Role(FromNotify::Written {
                seq,
                event: written,
            }) => {
                assert_eq!(written, event);
                seq
            }
            other => panic!("not written: {other:?}"),
        }
    }

    /// Waits until the queues are reported as `wanted` says.
    pub(crate) async fn queues(&self, wanted: impl Fn(&[(String, u32, Option<String>)]) -> bool) {
        soon("the queues' state", async {
            loop {
                let message = self.link.receive().await.unwrap().message;
                if let FromChild::Role(FromNotify::Queues(queues)) = message
                    && wanted(&queues)
                {
                    return;
                }
            }
        })
        .await;
    }

    /// Ends it in good order.
    pub(crate) async fn stop(mut self) {
        self.say(&ToChild::Stop { within: PATIENCE });
        self.ended().await;
    }

    /// Waits for its end; it must have ended well.
    pub(crate) async fn ended(&mut self) {
        let ended = soon("the notifier's end", async {
            loop {
                tokio::select! {
                    status = self.child.wait() => return status.unwrap(),
                    received = self.link.receive() => if matches!(received, Err(LinkError::Closed)) {
                        return self.child.wait().await.unwrap();
                    },
                }
            }
        });
        assert!(ended.await.success());
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.start_kill();
    }
}

fn owner(place: &Path) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(place).unwrap();
    (metadata.uid(), metadata.gid())
}

/// The files of the file sinks, as the supervisor opens them.
pub(crate) fn open_files(sinks: &[SinkSpec]) -> Vec<OwnedFd> {
    let paths = sinks.iter().filter_map(|sink| match &sink.kind {
        SinkKind::File { path } => Some(path),
        _ => None,
    });
    paths
        .map(|path| {
            let mut options = OpenOptions::new();
            options.append(true).create(true).open(path).unwrap().into()
        })
        .collect()
}

pub(crate) fn sink(name: &str, kind: SinkKind) -> SinkSpec {
    SinkSpec {
        name: name.into(),
        kind,
        routers: vec!["YN_API_GATEWAY".into()],
        classes: vec!["transition".into(), "proxy".into()],
        severity_min: Severity::Info,
        age_max: Duration::from_secs(3600),
    }
}

pub(crate) fn transition(to: RouterState, priority: u8) -> What {
    What::Transition(TransitionEvent {
        at_unix_ms: platform::clock::unix_ms(),
        router: "YN_API_GATEWAY".into(),
        from: RouterState::Backup,
        to,
        priority,
        cause: "master timed out".into(),
        addresses: vec![[192, 168, 0, 105].into()],
        planned: false,
    })
}

/// Waits until a file has so many lines.
pub(crate) async fn lines(path: &Path, count: usize) -> Vec<String> {
    soon("the lines of a file", async {
        loop {
            let content = std::fs::read_to_string(path).unwrap_or_default();
            if content.ends_with('\n') && content.lines().count() >= count {
                return content.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}
