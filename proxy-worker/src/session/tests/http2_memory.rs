//! What is kept of a body that nobody takes: as much as its window says, however it is cut.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::costs_http2::frame;
use super::lab::{Lab, Script, Then, run};
use super::{http2_frames, http2_servers};

/// Pieces that are sent, and how many in a second.
const PIECES: usize = 4_000;
const PER_SECOND: usize = 160;

/// The most memory of a worker with one connection.
const MEMORY_MAX: u64 = 8 * 1024 * 1024;

/// Sends a body of stream 1 until it is stuck, and then pieces of one octet that have to be kept, each
/// with 16 KiB behind it that have not: a frame of a kind that nobody knows.
async fn send_crumbs(stream: &mut DuplexStream) {
    let mut nothing = [0, 0x40, 0, 0x42, 0, 0, 0, 0, 0].to_vec();
    nothing.resize(9 + 0x4000, 0);
    for _ in 0..4 {
        let piece = [
            [0, 0x1f, 0xff, 0, 0, 0, 0, 0, 1].as_slice(),
            &[b'x'; 0x1fff],
        ]
        .concat();
        stream.write_all(&piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..PIECES / PER_SECOND {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..PER_SECOND {
            stream.write_all(&frame(0, 0, 1, b".")).await.unwrap();
            stream.write_all(&nothing).await.unwrap();
        }
    }
}

/// The most memory that `test` has at once.
fn memory_of(test: impl Future<Output = ()>) -> u64 {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    allocation_counter::measure(|| runtime.block_on(run(test))).bytes_max
}

/// Rule 36: a window is a limit of memory, not only of octets.
#[test]
fn request_that_no_server_takes_is_no_longer_than_its_window() {
    let most = memory_of(async {
        let lab = Lab::new([Script::Replies(vec![("", Then::Hang)])]);
        let mut client = http2_frames::frames(&lab).await;
        let post = frame(1, 4, 1, b"\x83\x87\x04\x05/app/\x01\x01a");
        client.write_all(&post).await.unwrap();
        send_crumbs(&mut client).await;
        assert_eq!(lab.worker.sessions.get(), 1);
    });
    assert!(most < MEMORY_MAX, "{most} octets");
}

/// The same of a response.
#[test]
fn response_that_no_client_takes_is_no_longer_than_its_window() {
    let most = memory_of(async {
        let lab = http2_servers::Lab::new(|mut stream| {
            Box::pin(async move {
                stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
                stream.read_exact(&mut [0; 100]).await.unwrap();
                stream.write_all(&frame(1, 4, 1, b"\x88")).await.unwrap();
                send_crumbs(&mut stream).await;
                std::future::pending().await
            })
        });
        let _client = lab.ask("/app/").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!((lab.servers.made.get(), lab.servers.open.get()), (1, 1));
        assert_eq!(lab.worker.sessions.get(), 1);
    });
    assert!(most < MEMORY_MAX, "{most} octets");
}
