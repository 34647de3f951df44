//! `[files.NAME]` and `[processes.NAME]`: a number in a file, or processes that must run, either of
//! which moves the priority of virtual routers.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::item::{Item, Table};
use crate::report::Spanned;
use crate::script::{check_time, weight};

/// What the number in a file may be multiplied by, and what counts of it, as in keepalived.
const FILE_WEIGHTS: RangeInclusive<i16> = -254..=254;

/// A file with a number in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFile {
    /// The name.
    pub name: String,
    /// Where it is, absolute.
    pub path: Spanned<PathBuf>,
    /// Between two readings, 10 ms to 1 h. Default: 1 s.
    pub interval: Duration,
    /// What its number is multiplied by before it is added to priorities, where a virtual router
    /// does not say otherwise; -254 to 254. Zero makes the router Fault while the number is not
    /// zero. Default: 1.
    pub weight: i16,
    /// The number that counts while there is no such file, -254 to 254. Default: none, it has
    /// failed then.
    pub absent: Option<i16>,
}

impl TrackFile {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let path = table.required("path", Item::absolute_path);
        let interval = table.or("interval", Duration::from_secs(1), check_time);
        let weight = table.or("weight", 1, file_weight);
        let absent = table.maybe("absent", file_weight);
        table.finish();
        Some(Self {
            name: name.to_owned(),
            path: path?,
            interval: interval?,
            weight: weight?,
            absent: absent?,
        })
    }
}

/// Processes of which enough must run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackProcess {
    /// The name.
    pub name: String,
    /// The program: its file name, or its whole path.
    pub process: String,
    /// The arguments that its own must begin with. Default: none, any will do.
    pub params: Vec<String>,
    /// How many must run. Default: 1.
    pub quorum: NonZeroU32,
    /// Between two looks, 10 ms to 1 h. Default: 1 s.
    pub interval: Duration,
    /// For how long there must be enough, or too few, until that is the verdict; 0 s to 1 h.
    /// Default: 0 s.
    pub delay: Duration,
    /// What it changes priorities by, as [`crate::Script::weight`]. Default: 0.
    pub weight: i16,
}

impl TrackProcess {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let process = table.required("process", Item::filled_string);
        let params = table.or("params", Vec::new(), |item| item.list(Item::string));
        let quorum = table.or("quorum", NonZeroU32::MIN, |item| {
            NonZeroU32::new(item.number(1..=65_536)?)
        });
        let interval = table.or("interval", Duration::from_secs(1), check_time);
        let delay = table.or("delay", Duration::ZERO, |item| {
            item.duration(Duration::ZERO..=Duration::from_secs(3_600))
        });
        let weight = table.or("weight", 0, weight);
        table.finish();
        Some(Self {
            name: name.to_owned(),
            process: process?,
            params: params?,
            quorum: quorum?,
            interval: interval?,
            delay: delay?,
            weight: weight?,
        })
    }
}

pub(crate) fn file_weight(item: &Item<'_>) -> Option<i16> {
    item.number(FILE_WEIGHTS)
}
