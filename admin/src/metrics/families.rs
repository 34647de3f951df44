//! Metric families as they are written: a name, a help text, and a number for each set of labels.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Names and values of labels.
pub(super) type Labels<const N: usize> = [(&'static str, String); N];

/// Writes families one after another.
pub(super) struct Families<'e> {
    encoder: DescriptorEncoder<'e>,
}

impl<'e> Families<'e> {
    pub(super) const fn new(encoder: DescriptorEncoder<'e>) -> Self {
        Self { encoder }
    }

    /// A gauge without labels.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.describe(name, help, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// A gauge with labels.
    pub(super) fn gauges<V: EncodeGaugeValue, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<N>, V)>,
    ) -> fmt::Result {
        let mut family = self.describe(name, help, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A counter without labels; its name is written with `_total` behind it.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.describe(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// A counter with labels; its name is written with `_total` behind it.
    pub(super) fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.describe(name, help, MetricType::Counter)?;
        for (labels, value) in samples {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    /// A histogram without labels: the sum of what was observed, and how often it was observed up to
    /// each bound, in rising order and with infinity at the end.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        up_to: &[(f64, u64)],
    ) -> fmt::Result {
        let mut below = 0;
        let buckets = up_to.iter().map(|(bound, count)| {
            let here = count.saturating_sub(below);
            below = *count;
            (*bound, here)
        });
        let buckets: Vec<_> = buckets.collect();
        self.describe(name, help, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sum, below, &buckets, None)
    }

    fn describe<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.encoder.encode_descriptor(name, help, None, kind)
    }
}
