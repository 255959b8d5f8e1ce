//! What a bidder has counted, from its page of metrics.

use std::collections::BTreeMap;

/// Counters and gauges by name and labels, as they stand on the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counters(BTreeMap<String, f64>);

impl Counters {
    /// From OpenMetrics text.
    pub(crate) fn read(page: &str) -> Self {
        let line = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Self(page.lines().filter(|line| line.starts_with("vernier_")).filter_map(line).collect())
    }

    /// What was counted since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let grown =
            self.0.iter().map(|(name, now)| (name.clone(), now - before.0.get(name).copied().unwrap_or_default()));
        Self(grown.collect())
    }

    /// One of them; `None` where it is not told.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Whether segments and caps were really checked, and what was dropped, each with its unit; what is not told is left
    /// out.
    pub(crate) fn checks(&self) -> Vec<(&'static str, f64, &'static str)> {
        let (requests, bids) = (self.sum("vernier_requests_total"), self.sum("vernier_segment_bids_total"));
        let known = self.get("vernier_lookups_total{result=\"member\"}");
        let counted = self.get("vernier_cap_events_total{event=\"pending\"}");
        let outcome = |outcome: &str| {
            let count = self.get(&format!("vernier_requests_total{{outcome=\"{outcome}\"}}"));
            count.map(|count| 100.0 * count / requests)
        };
        let figures = [
            ("shed", outcome("shed"), "%"),
            ("found_late", outcome("late"), "%"),
            ("segments_and_caps_checked", known.map(|known| 100.0 * known / requests), "%"),
            ("bids_per_request", Some(bids / requests), ""),
            ("caps_counted_per_bid", counted.map(|counted| counted / bids), ""),
            ("cap_events_lost", self.get("vernier_cap_events_lost_total"), ""),
            ("telemetry_dropped", Some(self.sum("vernier_events_dropped_total")), ""),
        ];
        figures.into_iter().filter_map(|(name, value, unit)| Some((name, value?, unit))).collect()
    }

    /// The sum of all with a name, whatever their labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of = |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.0.iter().filter(|(other, _)| of(other)).map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_by_name_and_labels() {
        let page = |member: u32| {
            format!(
                "# HELP x y\nvernier_lookups_total{{result=\"member\"}} {member}\nvernier_lookups_total{{result=\"stranger\"}} 2\nvernier_lookups_totality 7\n# EOF\n"
            )
        };
        let grown = Counters::read(&page(12)).since(&Counters::read(&page(5)));
        assert_eq!(grown.get("vernier_lookups_total{result=\"member\"}"), Some(7.0));
        assert_eq!((grown.sum("vernier_lookups_total"), grown.get("none")), (7.0, None));
        assert_eq!(Counters::read(&page(12)).sum("vernier_lookups_total"), 14.0);
    }
}
