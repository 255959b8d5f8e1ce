//! The sample campaigns.

use control_plane::{SourceFile, check, sample};
use decision::campaign::Campaign;
use event_log::{EventLog, LocalLog, LocalOptions, Offsets, Stream};
use proto::wire::{self, campaigns_record::Change};

use crate::control::open;

#[test]
fn the_sample_has_no_problem_and_its_records_are_campaigns() {
    assert_eq!(check(&sample()), []);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = EventLog::from(LocalLog::open(LocalOptions::new(directory.path())).expect("an empty log opens"));
    open(&log).apply(&sample(), "sample", false).expect("the sample applies");
    let records = log.read_from(Stream::Campaigns, &Offsets::default()).try_next().expect("it reads");
    let mut campaigns: Vec<Campaign> = Vec::new();
    for record in records {
        let record: wire::CampaignsRecord = proto::record::decode(&record.value).expect("it decodes");
        if let Some(Change::Campaign(campaign)) = record.change {
            campaigns.push(proto::campaign::campaign(&campaign).expect("it is a campaign"));
        }
    }
    let names: Vec<&str> = campaigns.iter().map(|campaign| campaign.name.as_str()).collect();
    assert_eq!(names, ["cart-recovery", "academy-next-course"]);
    for campaign in &campaigns {
        let sizes: Vec<(u16, u16)> = campaign.creatives.iter().map(|c| (c.size.w, c.size.h)).collect();
        assert_eq!(sizes, [(300, 250), (728, 90), (320, 50)]);
        assert!(campaign.creatives.iter().all(|creative| creative.variants.len() == 2));
        let experiment = campaign.experiment.as_ref().expect("each is measured");
        assert_eq!(experiment.holdout_ppm, 100_000);
        let markups = campaign.creatives.iter().flat_map(|creative| &creative.variants).map(|v| &v.markup);
        for markup in markups {
            // Nothing is loaded from elsewhere, so the sample looks the same offline.
            assert!(!markup.contains("http") && !markup.contains("src="), "{markup}");
        }
    }
}

/// The example in the README is a complete file, and right.
#[test]
fn the_example_in_the_readme_has_no_problem() {
    let readme = include_str!("../../README.md");
    let example: Vec<&str> = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!example.is_empty());
    let files: Vec<SourceFile> = example
        .iter()
        .enumerate()
        .map(|(at, text)| SourceFile { name: format!("example {at}"), text: (*text).to_owned() })
        .collect();
    assert_eq!(check(&files), []);
}
