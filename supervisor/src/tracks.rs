//! Tracks: what people are told when the verdict on a script, a file or processes changes.

use ipc::event::{Severity, What};
use ipc::vrrp::{TrackSubject, TrackVerdict};

/// The event that a verdict is; none where it is no news: all is well after a start.
pub(crate) fn event(
    subject: &TrackSubject,
    verdict: TrackVerdict,
    reason: &str,
    first: bool,
) -> Option<(Severity, What)> {
    if first && verdict.is_up() {
        return None;
    }
    let (up, reason) = (verdict.is_up(), reason.to_owned());
    let what = match subject.clone() {
        TrackSubject::Script(script) => What::ScriptChanged { script, up, reason },
        TrackSubject::Process(process) => What::ProcessChanged {
            process,
            up,
            reason,
        },
        TrackSubject::File(file) => What::FileChanged {
            file,
            value: match verdict {
                TrackVerdict::Value(value) => Some(value),
                TrackVerdict::Up | TrackVerdict::Down | TrackVerdict::Unrunnable => None,
            },
            reason,
        },
        // The vrrp-actor watches interfaces by itself.
        TrackSubject::Interface(_) => return None,
    };
    let severity = if up {
        Severity::Info
    } else {
        Severity::Warning
    };
    Some((severity, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_news_after_a_start_is_none() {
        use TrackVerdict::{Down, Unrunnable, Up, Value};
        let subject = |kind: fn(String) -> TrackSubject| kind("x".into());
        let (script, file) = (subject(TrackSubject::Script), subject(TrackSubject::File));
        let interface = subject(TrackSubject::Interface);
        // subject, verdict, first, expected severity
        let cases = [
            (&script, Up, true, None),
            (&script, Up, false, Some(Severity::Info)),
            (&script, Down, true, Some(Severity::Warning)),
            (&script, Unrunnable, false, Some(Severity::Warning)),
            (&file, Value(-20), true, None),
            (&file, Value(-20), false, Some(Severity::Info)),
            (&file, Unrunnable, true, Some(Severity::Warning)),
            (&interface, Down, false, None),
        ];
        for (subject, verdict, first, expected) in cases {
            let severity = event(subject, verdict, "why", first).map(|(severity, _)| severity);
            assert_eq!(severity, expected, "{subject} {verdict} {first}");
        }
    }

    #[test]
    fn a_file_is_told_with_its_number() {
        let subject = TrackSubject::File("maintenance".into());
        let told = |verdict| event(&subject, verdict, "why", false).map(|(_, what)| what);
        for (verdict, value) in [
            (TrackVerdict::Value(-20), Some(-20)),
            (TrackVerdict::Unrunnable, None),
        ] {
            let expected = What::FileChanged {
                file: "maintenance".into(),
                value,
                reason: "why".into(),
            };
            assert_eq!(told(verdict), Some(expected));
        }
    }
}
