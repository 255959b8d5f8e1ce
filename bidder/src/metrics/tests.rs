use super::*;

/// Counts in `segments`, in that order; the series that are told of them, each as its segment, must be `expected`.
fn check(segments: &str, expected: &str) {
    let metrics = Metrics::new(1);
    for segment in segments.split(' ') {
        metrics.segment(SegmentCount::Bids, Some(SegmentId(segment.parse().expect("a number"))));
    }
    let mut text = String::new();
    metrics.encode(&mut text, &[]).expect("a string takes all");
    let segment = |line: &str| {
        let rest = line.strip_prefix("vernier_segment_bids_total{segment=\"")?;
        rest.split_once('"').map(|(segment, _)| segment.to_owned())
    };
    assert_eq!(text.lines().filter_map(segment).collect::<Vec<_>>().join(" "), expected, "{segments}");
}

#[test]
fn series_have_one_order_whatever_happened_first() {
    let ordered = "1 11 2 3 4 5 6 7 8 9";
    check("1 2 3 4 5 6 7 8 9 11", ordered);
    check("11 9 8 7 6 5 4 3 2 1", ordered);
    check("5 11 5 1 9 2 8 3 7 4 6", ordered);
}
