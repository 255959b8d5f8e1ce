//! From files to what is to be published: all of it, or, where anything is wrong, nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use decision::time::Micros;
use event_log::limits::{BATCH_BYTES_MAX, RECORD_BYTES_MAX};
use proto::wire::{self, campaigns_record::Change as WireChange};

use crate::answer::{Change, Changed, Kind};
use crate::limits::{FILE_BYTES_MAX, FILE_NAME_BYTES_MAX, FILES_BYTES_MAX, FILES_MAX, RETIRED_MAX};
use crate::names::Names;
use crate::problem::{Place, Problem, Problems, SourceFile};
use crate::read::{self, At};
use crate::registry::{Registry, keyed};
use crate::yaml::{self, Node};

/// What an apply publishes, and what it says of it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Every subject of the files, and campaigns that follow their advertiser.
    pub(crate) changes: Vec<Change>,
    /// Keys and records, in an order in which each refers only to those before it.
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Finds what `files` change in `registry`. Pure: the same arguments give the same bytes.
///
/// # Errors
/// Every problem of every file; nothing is to be published then.
pub(crate) fn plan(registry: &Registry, files: &[SourceFile], at: Micros, by: &str) -> Result<Plan, Vec<Problem>> {
    plan_with(Names::of(registry), files, at, by)
}

/// [`plan`] with these names from elsewhere.
pub(crate) fn plan_with(
    mut names: Names<'_>,
    files: &[SourceFile],
    at: Micros,
    by: &str,
) -> Result<Plan, Vec<Problem>> {
    let (problems, registry) = (Problems::default(), names.registry);
    let documents = read_files(files, &mut names, &problems);
    let declared = declare(files, &documents, &mut names, &problems);
    let mut draft = Draft { registry, at, by, problems: &problems, changes: Vec::new(), records: Vec::new() };
    for Declared { number, name, at, .. } in of_kind(&declared, Kind::Advertiser) {
        let advertiser = read::advertiser(at, *number, name);
        draft.keep_currency(at, advertiser.as_ref());
        draft.advertiser(at.place(), advertiser.as_ref());
        // Of two declarations the first one holds, as its number does: nothing is to follow from the second.
        names.advertisers.entry((*name).to_owned()).or_insert(advertiser);
    }
    for Declared { number, name, at, .. } in of_kind(&declared, Kind::Segment) {
        draft.segment(at.place(), read::segment(at, *number, name));
    }
    let mut read_here = Vec::new();
    for Declared { number, name, at, .. } in of_kind(&declared, Kind::Campaign) {
        read_here.push(*name);
        if let Some(campaign) = read::campaign(at, *number, name, &mut names) {
            draft.campaign(at.place(), campaign, &names);
        }
    }
    for Declared { name, at, .. } in of_kind(&declared, Kind::Advertiser) {
        draft.follow(at.place(), names.advertisers.get(*name).and_then(Option::as_ref), &read_here, &names);
    }
    let Draft { changes, records, .. } = draft;
    fits_batch(&records, &problems);
    if problems.len() > 0 { Err(problems.into_list(files)) } else { Ok(Plan { changes, records }) }
}

/// Reads the documents of every file within bounds.
fn read_files(files: &[SourceFile], names: &mut Names<'_>, problems: &Problems) -> Vec<Rc<Node>> {
    let start = Place::start_of(0);
    if files.is_empty() || files.len() > FILES_MAX {
        problems.push(start, "", format!("1 to {FILES_MAX} files can be applied at once, not {}", files.len()));
        return Vec::new();
    }
    if files.iter().map(|file| file.text.len()).sum::<usize>() > FILES_BYTES_MAX {
        problems.push(start, "", format!("files of at most {FILES_BYTES_MAX} bytes can be applied at once"));
        return Vec::new();
    }
    let (mut documents, mut values) = (Vec::new(), 0);
    for (number, file) in files.iter().enumerate() {
        if file.text.len() > FILE_BYTES_MAX || file.name.len() > FILE_NAME_BYTES_MAX {
            let message = format!("a file may have {FILE_BYTES_MAX} bytes and a name of {FILE_NAME_BYTES_MAX}");
            problems.push(Place::start_of(number), "", message);
            names.incomplete = true;
            continue;
        }
        let (found, whole) = yaml::documents(number, &file.text, &mut values, problems);
        names.incomplete |= !whole;
        documents.extend(found);
    }
    documents
}

/// A subject that a document declares.
struct Declared<'a> {
    kind: Kind,
    number: u32,
    name: &'a str,
    at: At<'a>,
}

fn of_kind<'d, 'a>(declared: &'d [Declared<'a>], kind: Kind) -> impl Iterator<Item = &'d Declared<'a>> {
    declared.iter().filter(move |declared| declared.kind == kind)
}

/// Finds what the documents declare, and gives each its number, so that documents may refer to one another.
fn declare<'a>(
    files: &[SourceFile],
    documents: &'a [Rc<Node>],
    names: &mut Names<'_>,
    problems: &'a Problems,
) -> Vec<Declared<'a>> {
    let mut seen: BTreeMap<(Kind, &str), Place> = BTreeMap::new();
    let mut declared = Vec::new();
    for at in documents.iter().map(|node| At::root(node, problems)).filter(|at| !at.is_null()) {
        let Some((kind, name_at)) = at.kind() else {
            names.incomplete = true;
            continue;
        };
        let name = name_at.slug(kind == Kind::Segment);
        let first = name.and_then(|name| seen.get(&(kind, name)));
        if let (Some(name), Some(first)) = (name, first) {
            let first = format!("{}:{}", files[first.file].name, first.line);
            name_at.problem(format!("{kind} `{name}` is declared twice, first in {first}"));
        }
        let numbers = match kind {
            Kind::Advertiser => &mut names.numbers.advertisers,
            Kind::Segment => &mut names.numbers.segments,
            Kind::Campaign => &mut names.numbers.campaigns,
        };
        // What has no name of its own is read all the same, for the problems in it.
        let number = match name {
            Some(name) if first.is_none() => numbers.give(name.to_owned()),
            _ => numbers.spare(),
        };
        name.inspect(|name| _ = seen.entry((kind, *name)).or_insert(name_at.place()));
        declared.push(Declared { kind, number, name: name.unwrap_or("-"), at });
    }
    declared
}

/// The plan while it grows.
struct Draft<'a> {
    registry: &'a Registry,
    at: Micros,
    by: &'a str,
    problems: &'a Problems,
    changes: Vec<Change>,
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Draft<'_> {
    fn advertiser(&mut self, place: Place, advertiser: Option<&wire::Advertiser>) {
        let Some(advertiser) = advertiser else { return };
        let change = Changed::between(self.registry.advertisers.get(&advertiser.name), advertiser);
        self.note(
            place,
            Kind::Advertiser,
            &advertiser.name,
            change,
            WireChange::Advertiser(advertiser.clone()),
            vec![],
        );
    }

    fn segment(&mut self, place: Place, segment: wire::Segment) {
        let change = Changed::between(self.registry.segments.get(&segment.name), &segment);
        self.note(place, Kind::Segment, &segment.name.clone(), change, WireChange::Segment(segment), vec![]);
    }

    fn campaign(&mut self, place: Place, campaign: wire::Campaign, names: &Names<'_>) {
        let published = self.registry.campaigns.get(&campaign.name);
        let change = match published {
            Some(published) if published.stopped => Changed::Resumed,
            published => Changed::between(published.map(|published| &published.campaign), &campaign),
        };
        let retired = retired(&campaign, names);
        if retired.iter().map(|creative| 1 + creative.variants.len()).sum::<usize>() > RETIRED_MAX {
            let message = format!("had more than {RETIRED_MAX} creatives and variants before: give it a new name");
            self.problems.push(place, "campaign", message);
        }
        self.note(place, Kind::Campaign, &campaign.name.clone(), change, WireChange::Campaign(campaign), retired);
    }

    /// A campaign's record stands alone, so those of a changed advertiser are published again with it. Stopped ones are
    /// not, since that would resume them: they follow when they are resumed.
    fn follow(&mut self, place: Place, advertiser: Option<&wire::Advertiser>, read: &[&str], names: &Names<'_>) {
        let Some(advertiser) = advertiser else { return };
        for (name, published) in &self.registry.campaigns {
            let before = published.campaign.advertiser.as_ref();
            let theirs = before.is_some_and(|before| before.id == advertiser.id && before != advertiser);
            if theirs && !published.stopped && !read.contains(&name.as_str()) {
                self.campaign(
                    place,
                    wire::Campaign { advertiser: Some(advertiser.clone()), ..published.campaign.clone() },
                    names,
                );
            }
        }
    }

    /// The currency of an advertiser's books cannot change.
    fn keep_currency(&self, at: &At<'_>, advertiser: Option<&wire::Advertiser>) {
        let before = advertiser.and_then(|advertiser| self.registry.advertisers.get(&advertiser.name));
        if let (Some(before), Some(advertiser)) = (before, advertiser)
            && before.currency != advertiser.currency
        {
            let message = format!("an advertiser keeps its currency, here {}: give it a new name", before.currency);
            at.find("currency").problem(message);
        }
    }

    /// Notes the change, and the record where there is something to publish.
    fn note(
        &mut self,
        place: Place,
        kind: Kind,
        name: &str,
        change: Changed,
        what: WireChange,
        retired: Vec<wire::Creative>,
    ) {
        self.changes.push(Change { kind, name: name.to_owned(), change });
        if change == Changed::Unchanged {
            return;
        }
        let by = self.by.to_owned();
        let record = wire::CampaignsRecord { at: self.at.0, by, change: Some(what), retired };
        let (key, value) = keyed(&record);
        if key.len() + value.len() > RECORD_BYTES_MAX {
            let message = format!("has {} bytes when published: at most {RECORD_BYTES_MAX} fit a record", value.len());
            self.problems.push(place, kind.label(), message);
        }
        self.records.push((key, value));
    }
}

/// The creatives and variants that were numbered for `campaign` and are not in it.
fn retired(campaign: &wire::Campaign, names: &Names<'_>) -> Vec<wire::Creative> {
    let mut retired = Vec::new();
    let creatives = names.numbers.creatives.from((campaign.id, String::new()));
    for ((_, name), id) in creatives.take_while(|((of, _), _)| *of == campaign.id) {
        let kept = campaign.creatives.iter().find(|creative| creative.id == id);
        let has = |variant: u32| kept.is_some_and(|creative| creative.variants.iter().any(|kept| kept.id == variant));
        let variants: Vec<wire::Variant> = names
            .numbers
            .variants
            .from((id, String::new()))
            .take_while(|((of, _), _)| *of == id)
            .filter(|(_, variant)| !has(*variant))
            .map(|((_, name), id)| wire::Variant { id, name: name.clone(), ..wire::Variant::default() })
            .collect();
        if kept.is_none() || !variants.is_empty() {
            retired.push(wire::Creative { id, name: name.clone(), variants, ..wire::Creative::default() });
        }
    }
    retired
}

/// Notes where the records are more than the stream takes at once.
fn fits_batch(records: &[(Vec<u8>, Vec<u8>)], problems: &Problems) {
    /// What a stream may add to a record.
    const FRAME_BYTES_MAX: usize = 64;
    let bytes: usize = records.iter().map(|(key, value)| key.len() + value.len() + FRAME_BYTES_MAX).sum();
    if bytes > BATCH_BYTES_MAX {
        let message =
            format!("these files publish {bytes} bytes: at most {BATCH_BYTES_MAX} at once; apply fewer files");
        problems.push(Place::start_of(0), "", message);
    }
}

#[cfg(test)]
mod tests;
