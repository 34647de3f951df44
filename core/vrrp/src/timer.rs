//! How long a Backup waits, in whole microseconds so that short intervals lose nothing to rounding.

use std::time::Duration;

use crate::packet::Protocol;
use crate::units::Priority;

/// What a hand-over waits beyond the longest skew time, for a peer's scheduling and the network.
const HANDOVER_MARGIN: Duration = Duration::from_millis(250);

/// Skew_Time: the lower the priority, the longer, so that the best Backup is the first.
///
/// Version 2: (256 - priority) / 256 seconds whatever the interval (RFC 3768 §6.1); version 3: the
/// same part of the Master's interval (RFC 9568 §6.1).
pub fn skew(protocol: &Protocol, priority: Priority) -> Duration {
    let part = 256 - u64::from(priority.get());
    let unit_us = match protocol {
        Protocol::V2 { .. } => 1_000_000,
        Protocol::V3 { interval } => 10_000 * u64::from(interval.get()),
    };
    Duration::from_micros(part * unit_us / 256)
}

/// Master_Down_Interval / Active_Down_Interval: `adverts` intervals (3 in the RFCs) and the skew time.
pub fn master_down(protocol: &Protocol, adverts: u8, priority: Priority) -> Duration {
    protocol.interval() * u32::from(adverts) + skew(protocol, priority)
}

/// How long a hand-over may take: the skew time of the weakest peer and a margin.
pub fn handover(protocol: &Protocol) -> Duration {
    skew(protocol, Priority::RELEASE) + HANDOVER_MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Auth;
    use crate::units::{Centiseconds, Seconds};

    fn v2(seconds: u8) -> Protocol {
        Protocol::V2 {
            interval: Seconds::new(seconds).unwrap(),
            auth: Auth::None,
        }
    }

    fn v3(centiseconds: u16) -> Protocol {
        Protocol::V3 {
            interval: Centiseconds::new(centiseconds).unwrap(),
        }
    }

    #[test]
    fn skew_is_absolute_in_version_2_and_scaled_in_version_3() {
        // protocol, priority, skew in µs, master down in µs
        let cases = [
            (v2(1), 202, 210_937, 3_210_937),
            (v2(1), 201, 214_843, 3_214_843),
            (v2(1), 1, 996_093, 3_996_093),
            (v2(3), 100, 609_375, 9_609_375),
            (v3(100), 100, 609_375, 3_609_375),
            (v3(10), 200, 21_875, 321_875),
            (v3(1), 255, 39, 30_039),
            (v3(4095), 254, 319_921, 123_169_921),
        ];
        for (protocol, priority, skew_us, down_us) in cases {
            let priority = Priority::new(priority).unwrap();
            assert_eq!(
                skew(&protocol, priority),
                Duration::from_micros(skew_us),
                "{protocol:?}"
            );
            assert_eq!(
                master_down(&protocol, 3, priority),
                Duration::from_micros(down_us)
            );
        }
    }

    #[test]
    fn a_handover_outlasts_the_weakest_peer() {
        assert_eq!(handover(&v2(3)), Duration::from_millis(1250));
        assert_eq!(handover(&v3(10)), Duration::from_millis(350));
    }
}
