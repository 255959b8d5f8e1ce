//! What a process did since its start, in words. Requests and bids are its own counts; wins, views, clicks and spend are
//! what the stream `outcomes` got since, which has each once.

use std::collections::BTreeMap;

use bidder::bidder::Bidder;
use bidder::metrics::{RequestOutcome, SegmentCount};
use decision::ids::SegmentId;
use event_log::{EventLog, ReadError, Record, Stream, Tail};
use hdrhistogram::Histogram;
use ledger::Books;
use proto::record;
use proto::wire::{Outcome, OutcomeKind};

use super::{EVERY_S, say};

/// What happened since the start, and what the last line said, so that the next one can tell what is new.
pub(crate) struct Tally {
    tail: Tail,
    /// By segment; 0: the default price.
    outcomes: BTreeMap<u32, Row>,
    /// Nanos by currency: gross, and what of it is media.
    spent: BTreeMap<String, i128>,
    media: BTreeMap<String, i128>,
    latency: Option<Histogram<u64>>,
}

/// What happened for one micro-segment, each impression counted once.
#[derive(Clone, Copy, Default)]
struct Row {
    bids: u64,
    wins: u64,
    views: u64,
    clicks: u64,
}

impl Tally {
    /// Nothing so far.
    pub(crate) async fn new(log: &EventLog) -> Result<Self, String> {
        let end = log.ends(Stream::Outcomes).await.map_err(|problem| problem.to_string())?;
        let tail = log.read_from(Stream::Outcomes, &end);
        Ok(Self { tail, outcomes: BTreeMap::new(), spent: BTreeMap::new(), media: BTreeMap::new(), latency: None })
    }

    /// What happened since the start, and how fast since the last line. `wrong` answers were refused by the exchange.
    pub(super) fn line(&mut self, bidder: &Bidder, wrong: u64) -> String {
        let mut since = bidder.metrics.latency();
        let now = since.clone();
        if let Some(before) = &self.latency {
            since.subtract(before).unwrap_or_default();
        }
        self.latency = Some(now);
        let rate = since.len() / EVERY_S;
        let (p50, p99) = (since.value_at_quantile(0.5), since.value_at_quantile(0.99));
        let refused = if wrong > 0 { format!(", {wrong} answers the exchange refuses") } else { String::new() };
        let speed = format!("{refused}; now {rate} requests/s, p50 {p50} us, p99 {p99} us");
        self.since_start(bidder, &speed)
    }

    /// Takes in everything that the stream has by now.
    pub(crate) async fn catch_up(&mut self, log: &EventLog) -> Result<(), ReadError> {
        let end = log.ends(Stream::Outcomes).await?;
        let mut all = Vec::new();
        let read = self.tail.read_to(&end, |records| {
            all.extend(records);
            Ok::<_, ReadError>(())
        });
        read.await?;
        self.take(&all);
        Ok(())
    }

    /// The last summary: what this process did, and what campaigns spent in all.
    pub(crate) fn last(&mut self, bidder: &Bidder, books: &Books) {
        let mut text = format!("drained\n{}\nspent {} in all", self.since_start(bidder, ""), spent_in_all(books));
        for campaign in &books.campaigns {
            let currency = campaign.currency.map(|currency| currency.to_string()).unwrap_or_default();
            text.push_str(&format!(
                "\n    {:<34} today {} {currency}, in all {} {currency}, lent and not yet settled {} {currency}",
                campaign.name,
                units(campaign.spent_today),
                units(campaign.sums.spent),
                units(campaign.sums.outstanding),
            ));
            if let Some(multiplier_ppm) = campaign.multiplier_ppm {
                text.push_str(&format!(", prices paced x {:.3}", f64::from(multiplier_ppm) / 1e6));
            }
        }
        say(&text);
    }

    /// One scope for every number: since the start of this process.
    fn since_start(&mut self, bidder: &Bidder, more: &str) -> String {
        self.read_outcomes();
        // Every request is timed, whatever became of it.
        let (requests, malformed) =
            (bidder.metrics.latency().len(), bidder.metrics.requests(RequestOutcome::Malformed));
        let rows = self.rows(bidder);
        let (bids, wins) = rows.iter().fold((0, 0), |(bids, wins), (_, row)| (bids + row.bids, wins + row.wins));
        let all_is_media = self.media == self.spent;
        let media = if all_is_media { String::new() } else { format!(", of which media {}", money(&self.media)) };
        let malformed = if malformed > 0 { format!(" ({malformed} malformed)") } else { String::new() };
        let mut text = format!(
            "since the start: {requests} requests{malformed}, {bids} bids, {wins} wins ({}), spent {}{media}{more}",
            percent(wins, bids),
            money(&self.spent),
        );
        for (name, Row { bids, wins, views, clicks }) in rows.iter().filter(|(_, row)| row.bids > 0) {
            let (win_rate, ctr) = (percent(*wins, *bids), percent(*clicks, *views));
            text.push_str(&format!(
                "\n    {name:<34} {bids:>7} bids  win rate {win_rate:>6}  CTR {ctr:>6}  {clicks} clicks"
            ));
        }
        text
    }

    /// What happened for each micro-segment, by name, and last for the default price.
    fn rows(&self, bidder: &Bidder) -> Vec<(String, Row)> {
        let snapshot = bidder.campaigns.load();
        let named = snapshot.segments.iter().map(|(segment, name)| (name.clone(), Some(*segment)));
        let all = named.chain([("(default price)".to_owned(), None)]);
        let row = |segment: Option<SegmentId>| {
            let outcomes = self.outcomes.get(&segment.map_or(0, |segment| segment.0)).copied().unwrap_or_default();
            Row { bids: bidder.metrics.segment_count(SegmentCount::Bids, segment), ..outcomes }
        };
        all.map(|(name, segment)| (name, row(segment))).collect()
    }

    /// Takes in the outcomes since the last time. They are deduplicated, as notices are not.
    fn read_outcomes(&mut self) {
        while let Ok(records) = self.tail.try_next()
            && !records.is_empty()
        {
            self.take(&records);
        }
    }

    fn take(&mut self, records: &[Record]) {
        for outcome in records.iter().filter_map(|record| record::decode::<Outcome>(&record.value).ok()) {
            let row = self.outcomes.entry(outcome.segment).or_default();
            match outcome.kind() {
                OutcomeKind::Win => row.wins += 1,
                OutcomeKind::View => row.views += 1,
                OutcomeKind::Click => row.clicks += 1,
                _ => {}
            }
            if outcome.charged != 0 {
                let media = outcome.parts.map_or(outcome.charged, |parts| parts.media);
                *self.media.entry(outcome.campaign_currency.clone()).or_default() += i128::from(media);
                *self.spent.entry(outcome.campaign_currency).or_default() += i128::from(outcome.charged);
            }
        }
    }
}

/// What all campaigns spent since the ledger's journal began.
fn spent_in_all(books: &Books) -> String {
    let mut by_currency = BTreeMap::new();
    for campaign in &books.campaigns {
        if let Some(currency) = campaign.currency {
            *by_currency.entry(currency.to_string()).or_insert(0_i128) += campaign.sums.spent;
        }
    }
    money(&by_currency)
}

/// Sums of several currencies.
fn money(by_currency: &BTreeMap<String, i128>) -> String {
    let said: Vec<String> =
        by_currency.iter().map(|(currency, nanos)| format!("{} {currency}", units(*nanos))).collect();
    if said.is_empty() { "0".to_owned() } else { said.join(" + ") }
}

/// Nanos as units with six decimals, cut.
fn units(nanos: i128) -> String {
    let micros = nanos.unsigned_abs() / 1_000;
    let sign = if nanos < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}
