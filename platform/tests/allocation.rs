//! What runs all the time asks for no memory. Needs root.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::time::Duration;

use platform::addresses::{Addresses, Assignment, Renewals};
use platform::clock::{Alarm, boottime};
use platform::vrrp_socket::{Family, Inbox, VrrpSocket};

mod lan;

use lan::{A, B, eventually, interface, ip, link};

thread_local! {
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

/// The system's, counting what this thread asks for.
struct Counting;

// SAFETY: everything is handed to the system's allocator as it came; counting touches a cell of this
// thread alone, which needs neither memory nor a destructor.
#[expect(unsafe_code, reason = "an allocator has no safe form")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTS.with(|requests| requests.set(requests.get() + 1));
        // SAFETY: the caller keeps the contract of alloc.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of dealloc; the memory is the system's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` asks for memory.
fn requests(work: impl FnOnce()) -> u64 {
    let before = REQUESTS.get();
    work();
    REQUESTS.get() - before
}

#[test]
fn sending_receiving_waiting_and_renewing_ask_for_no_memory() {
    assert!(requests(|| drop(Box::new(4711))) > 0, "it counts");
    let link = link();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let open = || {
        let _within = runtime.enter();
        let interface = interface("em1");
        let opened = VrrpSocket::open(&interface.name, interface.index, Family::Ipv4);
        opened.expect("a socket")
    };
    let mut sender = link.a.run(open).expect("the namespace");
    let mut receiver = link.b.run(open).expect("the namespace");
    let prepare = || {
        ip("address show dev em1");
        let mut renewals = Renewals::default();
        for number in 1..=100 {
            let assignment = Assignment {
                interface_index: interface("em1").index,
                address: Ipv4Addr::new(192, 168, 1, number).into(),
                prefix_len: 32,
                scope: 0,
                label: None,
            };
            renewals.add(&assignment, Some(60));
        }
        (Addresses::open().expect("netlink"), renewals)
    };
    let (mut addresses, renewals) = link.a.run(prepare).expect("the namespace");
    let mut batch = Renewals::default();
    let mut inbox = Inbox::new();
    let mut advert = vec![0x45, 0xc0, 0, 40, 0, 1, 0, 0, 255, 112, 0, 0];
    advert.extend(A.octets());
    advert.extend(B.octets());
    advert.resize(40, 0);
    let _within = runtime.enter();
    let alarm = Alarm::new().expect("an alarm");
    let heard = Cell::new(0);
    let mut turn = || {
        for _ in 0..100 {
            let write = |packet: &mut Vec<u8>| advert.clone_into(packet);
            sender.send(A.into(), B.into(), write).expect("room");
        }
        sender.flush().expect("sent");
        batch.append(&renewals);
        addresses.renew(&batch).expect("renewed");
        batch.clear();
        alarm
            .set(boottime() + Duration::from_millis(1))
            .expect("set");
        runtime.block_on(poll_fn(|context| alarm.poll_rung(context)));
        while receiver.receive(&mut inbox).is_some() {
            heard.set(heard.get() + 1);
        }
    };
    // Buffers grow to what is needed once.
    turn();
    assert_eq!(requests(|| (0..10).for_each(|_| turn())), 0);
    eventually("adverts", || {
        turn();
        heard.get() > 1000
    });
}
