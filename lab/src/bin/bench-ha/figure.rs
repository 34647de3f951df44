//! What a run yields, what it must be, and how many runs become one cell of the table.

use std::fmt;
use std::time::Duration;

/// One figure; the greater, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    /// A number of things.
    Count(usize),
    /// How long it took.
    Time(Duration),
    /// It had not ended when it was no longer watched, after this long.
    Endless(Duration),
}

impl Value {
    /// `duration`, of something watched for `watched`: what fills nearly all of that has not ended.
    pub(crate) fn within(duration: Duration, watched: Duration) -> Self {
        const EDGE: Duration = Duration::from_millis(200);
        if duration + EDGE >= watched {
            Self::Endless(watched)
        } else {
            Self::Time(duration)
        }
    }

    /// How many times `other` it is, where that makes sense.
    fn times(self, other: Self) -> Option<String> {
        /// Below this, a ratio is one of noise.
        const LEAST: f64 = 0.001;
        let (more, own) = match self {
            Self::Endless(watched) => ("> ", watched.as_secs_f64()),
            _ => ("", self.seconds()?),
        };
        let others = other.seconds()?;
        if own < LEAST || others < LEAST {
            return None;
        }
        let ratio = own / others;
        let digits = usize::from(ratio < 10.0);
        Some(format!("{more}{ratio:.digits$} ×"))
    }

    fn seconds(self) -> Option<f64> {
        match self {
            Self::Time(time) => Some(time.as_secs_f64()),
            Self::Count(_) | Self::Endless(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) if *time >= Duration::from_secs(1) => {
                write!(f, "{:.2} s", time.as_secs_f64())
            }
            Self::Time(time) if *time < Duration::from_millis(10) => {
                write!(f, "{:.1} ms", time.as_secs_f64() * 1000.0)
            }
            Self::Time(time) => write!(f, "{} ms", time.as_millis()),
            Self::Endless(watched) => write!(f, "no end in {} s", watched.as_secs()),
        }
    }
}

/// What is measured, for a line of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Such as `failed`.
    pub(crate) what: &'static str,
    /// How it came out.
    pub(crate) value: Value,
    /// How the runs become one figure.
    pub(crate) summary: Summary,
}

/// How the runs become one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    /// The median, with the worst in brackets.
    Median,
    /// In how many runs it was not zero.
    Runs,
}

impl Figure {
    pub(crate) fn time(what: &'static str, time: Duration) -> Self {
        Self::of(what, Value::Time(time))
    }

    pub(crate) fn count(what: &'static str, count: usize) -> Self {
        Self::of(what, Value::Count(count))
    }

    pub(crate) fn of(what: &'static str, value: Value) -> Self {
        Self {
            what,
            value,
            summary: Summary::Median,
        }
    }

    /// Whether something happened, told as the number of runs in which it did.
    pub(crate) fn occurrence(what: &'static str, happened: bool) -> Self {
        Self {
            what,
            value: Value::Count(usize::from(happened)),
            summary: Summary::Runs,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.value)
    }
}

/// All runs of one contender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Vec<Vec<Figure>>);

/// What a figure must be at the most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// The figure's name.
    pub(crate) what: &'static str,
    /// The most that its median, or its number of runs, may be.
    pub(crate) most: Value,
    /// Whether it is the worst run that may be no more.
    is_for_every_run: bool,
}

impl Bound {
    pub(crate) const fn time(what: &'static str, most: Duration) -> Self {
        Self {
            what,
            most: Value::Time(most),
            is_for_every_run: false,
        }
    }

    pub(crate) const fn count(what: &'static str, most: usize) -> Self {
        Self {
            what,
            most: Value::Count(most),
            is_for_every_run: false,
        }
    }

    /// The same for every single run: what must never happen is not made good by a median.
    pub(crate) const fn always(self) -> Self {
        Self {
            is_for_every_run: true,
            ..self
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let always = if self.is_for_every_run { " always" } else { "" };
        match self.most {
            Value::Count(0) => write!(f, "{} 0{always}", self.what),
            most => write!(f, "{} ≤ {most}{always}", self.what),
        }
    }
}

impl Runs {
    pub(crate) fn push(&mut self, run: Vec<Figure>) {
        self.0.push(run);
    }

    /// The figures' names, in their order.
    fn columns(&self) -> impl Iterator<Item = Figure> {
        self.0.first().into_iter().flatten().copied()
    }

    /// All values of one figure, the best first.
    fn values(&self, what: &str) -> Vec<Value> {
        let mut values: Vec<Value> = self
            .0
            .iter()
            .flatten()
            .filter(|figure| figure.what == what)
            .map(|figure| figure.value)
            .collect();
        values.sort();
        values
    }

    /// What is held against the bound.
    fn summary(&self, figure: Figure) -> Option<Value> {
        let values = self.values(figure.what);
        match figure.summary {
            Summary::Median => values.get(values.len() / 2).copied(),
            Summary::Runs => {
                let happened = values.iter().filter(|value| **value > Value::Count(0));
                Some(Value::Count(happened.count()))
            }
        }
    }

    /// One cell: every figure with its median and its worst.
    pub(crate) fn cell(&self) -> String {
        let parts = self.columns().filter_map(|figure| {
            let summary = self.summary(figure)?;
            let values = self.values(figure.what);
            let worst = values.last()?;
            Some(match figure.summary {
                Summary::Runs => format!("{} in {summary} of {} runs", figure.what, values.len()),
                Summary::Median if *worst == summary => format!("{} {summary}", figure.what),
                Summary::Median => format!("{} {summary} ({worst})", figure.what),
            })
        });
        let cell = parts.collect::<Vec<_>>().join(", ");
        if cell.is_empty() {
            "-".to_owned()
        } else {
            cell
        }
    }

    /// How many times `other`'s first figure its own is.
    pub(crate) fn times(&self, other: &Self) -> String {
        let first = |runs: &Self| {
            runs.columns()
                .next()
                .and_then(|figure| runs.summary(figure))
        };
        let ratio = first(self).zip(first(other));
        ratio
            .and_then(|(own, others)| own.times(others))
            .unwrap_or_default()
    }

    /// The figures that are past their bounds; none when all that must be reached is.
    pub(crate) fn missed(&self, bounds: &[Bound]) -> Vec<&'static str> {
        bounds
            .iter()
            .filter(|bound| {
                let reached = if bound.is_for_every_run {
                    self.values(bound.what).last().copied()
                } else {
                    let figure = self.columns().find(|figure| figure.what == bound.what);
                    figure.and_then(|figure| self.summary(figure))
                };
                reached.is_none_or(|reached| reached > bound.most)
            })
            .map(|bound| bound.what)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn runs(silences: &[u64], holes: &[bool]) -> Runs {
        let mut runs = Runs::default();
        for (silence, hole) in silences.iter().zip(holes) {
            runs.push(vec![
                Figure::time("silent", ms(*silence)),
                Figure::occurrence("hole", *hole),
            ]);
        }
        runs
    }

    #[test]
    fn a_cell_has_the_median_the_worst_and_in_how_many_runs() {
        let taken = runs(&[3100, 12, 40], &[false, true, false]);
        assert_eq!(taken.cell(), "silent 40 ms (3.10 s), hole in 1 of 3 runs");
        assert_eq!(
            runs(&[40], &[false]).cell(),
            "silent 40 ms, hole in 0 of 1 runs"
        );
        assert_eq!(Runs::default().cell(), "-");
    }

    #[test]
    fn the_median_and_every_occurrence_are_held_against_bounds() {
        let taken = runs(&[3100, 12, 40], &[false, true, false]);
        let cases: [(Bound, &[&str]); 7] = [
            (Bound::time("silent", ms(40)), &[]),
            (Bound::time("silent", ms(39)), &["silent"]),
            (Bound::time("silent", ms(3100)).always(), &[]),
            (Bound::time("silent", ms(3099)).always(), &["silent"]),
            (Bound::count("hole", 1), &[]),
            (Bound::count("hole", 0), &["hole"]),
            (Bound::count("never measured", 0), &["never measured"]),
        ];
        for (bound, missed) in cases {
            assert_eq!(taken.missed(&[bound]), missed, "{bound}");
        }
    }

    #[test]
    fn what_has_no_end_is_worse_than_any_time() {
        let endless = Value::within(ms(7_900), ms(8_000));
        assert_eq!(endless, Value::Endless(ms(8_000)));
        assert!(endless > Value::Time(ms(60_000)));
        assert_eq!(Value::within(ms(500), ms(8_000)), Value::Time(ms(500)));
    }

    #[test]
    fn ratios_are_of_times_that_mean_something() {
        let of = |own: Value, other: u64| own.times(Value::Time(ms(other))).unwrap_or_default();
        assert_eq!(of(Value::Time(ms(4100)), 10), "410 ×");
        assert_eq!(of(Value::Time(ms(62)), 11), "5.6 ×");
        assert_eq!(of(Value::Endless(ms(8000)), 500), "> 16 ×");
        assert_eq!(of(Value::Time(ms(62)), 0), "");
        assert_eq!(of(Value::Count(3), 11), "");
    }
}
