//! One table as text: each combination of failures, who owns the addresses then, and why.

use std::fmt::Write as _;

use core_vrrp::forecast::{Befallen, Case, FAILURES_COMBINED_MAX, Failure, Forecast, Standing};
use core_vrrp::{Band, Priority};
use settings::{Settings, VirtualRouter};

/// One table.
pub(super) struct Table<'t> {
    pub(super) settings: &'t Settings,
    /// At least one.
    pub(super) routers: &'t [&'t VirtualRouter],
    pub(super) forecast: Forecast,
}

impl Table<'_> {
    pub(super) fn write(&self, out: &mut String) -> std::fmt::Result {
        let names: Vec<&str> = self.routers.iter().map(|it| it.name.as_str()).collect();
        let mut groups: Vec<&str> = (self.routers.iter())
            .filter_map(|router| router.sync_group.as_ref())
            .map(|group| group.value().as_str())
            .collect();
        groups.dedup();
        let groups = match groups.as_slice() {
            [] => String::new(),
            groups => format!(" (sync group {})", groups.join(", ")),
        };
        writeln!(
            out,
            "Who owns the addresses of {}{groups}",
            names.join(", ")
        )?;
        let rows: Vec<[String; 3]> = self.forecast.cases.iter().map(|it| self.row(it)).collect();
        let header = ["what fails", "owner", "priorities"].map(str::to_owned);
        let width = |column: usize| {
            let cells = rows
                .iter()
                .chain([&header])
                .filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let (first, second) = (width(0), width(1));
        for [failures, owner, why] in [&header].into_iter().chain(&rows) {
            let line = format!("  {failures:first$}  {owner:second$}  {why}");
            writeln!(out, "{}", line.trim_end())?;
        }
        if !self.forecast.is_complete {
            writeln!(
                out,
                "  (more than {FAILURES_COMBINED_MAX} things can fail: only one and two at a time \
                 are shown)"
            )?;
        }
        for note in self.notes() {
            writeln!(out, "  note: {note}")?;
        }
        writeln!(out)
    }

    pub(super) fn node(&self, node: usize) -> &str {
        let named = self.settings.nodes.get(node);
        named.map_or("", |node| node.name.as_str())
    }

    fn row(&self, case: &Case) -> [String; 3] {
        let owner = |owner: &Option<usize>| owner.map_or("nobody", |node| self.node(node));
        let owners: Vec<&str> = case.owners.iter().map(owner).collect();
        [
            self.failures(&case.failures),
            owners.join(" or "),
            why(case),
        ]
    }

    /// `proxy101: script chk_gateway, proxy; proxy102: down`. Failures come node by node.
    fn failures(&self, failures: &[Befallen]) -> String {
        let mut text = String::new();
        let mut node_before = None;
        for befallen in failures {
            if node_before == Some(befallen.node) {
                text.push_str(", ");
            } else {
                if node_before.is_some() {
                    text.push_str("; ");
                }
                text.push_str(self.node(befallen.node));
                text.push_str(": ");
            }
            text.push_str(match &befallen.failure {
                Failure::Track(name) => name,
                Failure::Proxy => "proxy",
                Failure::Down => "down",
            });
            node_before = Some(befallen.node);
        }
        if text.is_empty() {
            text.push_str("nothing");
        }
        text
    }
}

/// Why it ends so: `201 > 200`, the owner first.
fn why(case: &Case) -> String {
    let [owner] = case.owners.as_slice() else {
        return "whoever owned before the last failure".to_owned();
    };
    let Some(owner) = *owner else {
        return "all down or FAULT".to_owned();
    };
    let Some(&Standing::Able { priority, band }) = case.standings.get(owner) else {
        return String::new();
    };
    let others = case.standings.iter().enumerate();
    let mut others: Vec<Priority> = others
        .filter_map(|(node, standing)| match standing {
            Standing::Able { priority, .. } if node != owner => Some(*priority),
            _ => None,
        })
        .collect();
    others.sort_by(|one, other| other.cmp(one));
    let mut text = priority.to_string();
    let mut left = priority;
    for other in &others {
        let sign = match left.cmp(other) {
            std::cmp::Ordering::Greater => '>',
            std::cmp::Ordering::Equal => '=',
            std::cmp::Ordering::Less => '<',
        };
        let _ = write!(text, " {sign} {other}");
        left = *other;
    }
    if others.is_empty() {
        text.push_str(", alone");
    } else if band != Band::Healthy && others.first() == Some(&priority) {
        text.push_str(", best stays");
    } else if others.first().is_some_and(|other| *other > priority) {
        text.push_str(", no preemption");
    }
    text
}
