//! What `vernier up` says: where to look, how to try it, and every few seconds what happens.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bidder::admin::Admin;
use bidder::metrics::{RequestOutcome, SegmentCount};
use bidder::role::Running;
use decision::ids::SegmentId;
use event_log::{EventLog, Stream, Tail};
use hdrhistogram::Histogram;
use ledger::{Books, LedgerHandle};
use load_tests::exchange::{self, Settings, Totals};
use proto::record;
use proto::wire::{Outcome, OutcomeKind};
use segment_store::{IdHasher, Profiles};
use tokio::sync::{mpsc, watch};

use crate::app::{Shared, clock};
use crate::config::Traffic;
use crate::sample;

/// Seconds between two summaries.
const EVERY_S: u64 = 5;
/// Milliseconds between two looks at whether the bidder is ready.
const READY_POLL_MS: u64 = 20;

/// `vernier up` as people see it.
pub(crate) struct Demonstration {
    admin: Admin,
    profiles: Profiles,
    hasher: IdHasher,
    log: EventLog,
    books: LedgerHandle,
    traffic: Option<Traffic>,
    people: u32,
    bid_url: String,
    admin_url: String,
    data_dir: PathBuf,
}

impl Demonstration {
    pub(crate) fn new(shared: &Shared, running: &Running, with_traffic: bool) -> Self {
        let config = &shared.config;
        let exchange = config.exchanges.first().map(|exchange| exchange.name.to_string()).unwrap_or_default();
        Self {
            admin: running.admin.clone(),
            profiles: shared.profiles.clone(),
            hasher: shared.hasher,
            log: shared.log.clone(),
            books: shared.books.clone(),
            traffic: with_traffic.then(|| config.traffic.clone()),
            people: config.traffic.people,
            bid_url: format!("http://{}/bid/{exchange}", config.bid.listen),
            admin_url: format!("http://{}", config.admin_listen),
            data_dir: config.data_dir.clone(),
        }
    }

    /// Runs until `shutdown` turns true.
    pub(crate) async fn run(self, mut shutdown: watch::Receiver<bool>, failed: mpsc::UnboundedSender<String>) {
        let end = async |shutdown: &mut watch::Receiver<bool>| drop(shutdown.wait_for(|down| *down).await);
        let begun = tokio::select! {
            begun = self.begin() => begun,
            () = end(&mut shutdown) => return,
        };
        if let Err(problem) = begun {
            let _already_ending = failed.send(format!("the sample's people cannot be written: {problem}"));
            return;
        }
        self.welcome();
        let totals = Arc::new(Totals::default());
        let traffic = self.traffic.clone().map(|traffic| self.play(traffic, Arc::clone(&totals), shutdown.clone()));
        let mut before = Before::new(&self.log);
        let mut every = tokio::time::interval(Duration::from_secs(EVERY_S));
        every.tick().await;
        loop {
            tokio::select! {
                _ = every.tick() => say(&self.line(&mut before, &totals)),
                () = end(&mut shutdown) => break,
            }
        }
        if let Some(traffic) = traffic {
            let joined = tokio::task::spawn_blocking(move || traffic.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                say("the simulated exchange ended badly");
            }
        }
    }

    /// Waits until the campaigns are in force, writes the people, waits until there is money.
    async fn begin(&self) -> Result<(), String> {
        let mut poll = tokio::time::interval(Duration::from_millis(READY_POLL_MS));
        while !self.admin.bidder.campaigns.caught_up() {
            poll.tick().await;
        }
        let snapshot = self.admin.bidder.campaigns.load_full();
        sample::join(&self.profiles, &self.hasher, &snapshot, self.people, clock()).await?;
        while !self.admin.readiness.ready() {
            poll.tick().await;
        }
        Ok(())
    }

    /// The simulated exchange, on a thread of its own: it is a counterparty, not a part of us.
    fn play(
        &self,
        traffic: Traffic,
        totals: Arc<Totals>,
        mut shutdown: watch::Receiver<bool>,
    ) -> std::thread::JoinHandle<()> {
        let mut settings = Settings::new(self.bid_url.clone());
        settings.requests_per_s = traffic.requests_per_s;
        settings.people = traffic.people;
        settings.person_id = sample::person_id;
        settings.seed = traffic.seed;
        settings.journal = Some(self.data_dir.join("exchange-journal.jsonl"));
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let shutdown = async move { drop(shutdown.wait_for(|down| *down).await) };
            let played = runtime.map_err(|problem| problem.to_string()).and_then(|r| {
                r.block_on(exchange::run(settings, totals, shutdown)).map_err(|problem| problem.to_string())
            });
            if let Err(problem) = played {
                say(&format!("the simulated exchange ended: {problem}"));
            }
        };
        std::thread::spawn(work)
    }

    fn welcome(&self) {
        let Self { bid_url, admin_url, .. } = self;
        let number = sample::VISITORS - 1;
        let visitor = sample::visitor_id(number);
        let prefix = visitor.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let traffic = self.traffic.as_ref().map_or_else(
            || "off".to_owned(),
            |traffic| format!("{} requests a second from a simulated exchange", traffic.requests_per_s),
        );
        say(&format!(
            "vernier is up
  bid requests   POST {bid_url}
  admin          {admin_url}/readyz  {admin_url}/metrics  {admin_url}/campaigns
  data           {}
  traffic        {traffic}

Send it a bid request of a visitor who left shoes in the cart:
  curl -si {bid_url} -H 'content-type: application/json' -d '{{\"id\":\"1\",\"imp\":[{{\"id\":\"1\",\"banner\":{{\"w\":300,\"h\":250}},\"bidfloor\":0.1}}],\"site\":{{\"domain\":\"news.example\"}},\"user\":{{\"id\":\"{prefix}'$((RANDOM))'\"}}}}'
Then look at why and what:
  vernier explain --request FILE      vernier campaigns      vernier events cat outcomes
Ctrl-C drains and ends it.
",
            self.data_dir.display()
        ));
    }

    fn line(&self, before: &mut Before, totals: &Totals) -> String {
        let bidder = &self.admin.bidder;
        before.read_outcomes();
        let answered = bidder.metrics.requests(RequestOutcome::Bid) + bidder.metrics.requests(RequestOutcome::NoBid);
        let latency = bidder.metrics.latency();
        let (p50, p99) = before.quantiles(&latency);
        let rows = self.rows(before);
        let (bids, wins) = rows.iter().fold((0, 0), |(bids, wins), (_, row)| (bids + row.bids, wins + row.wins));
        let mut text = format!(
            "{answered} requests (+{}/s), {bids} bids, {wins} wins ({}), spend {}, p50 {p50} us, p99 {p99} us",
            (answered - before.answered) / EVERY_S,
            percent(wins, bids),
            spend(&self.books.books(clock())),
        );
        let wrong = totals.invalid.load(Ordering::Relaxed);
        if wrong > 0 {
            text.push_str(&format!(", {wrong} answers the exchange refuses"));
        }
        for (name, row) in rows.iter().filter(|(_, row)| row.bids > 0) {
            let Row { bids, wins, views, clicks } = row;
            let (win_rate, ctr) = (percent(*wins, *bids), percent(*clicks, *views));
            text.push_str(&format!(
                "\n    {name:<34} {bids:>7} bids  win rate {win_rate:>6}  CTR {ctr:>6}  {clicks} clicks"
            ));
        }
        before.answered = answered;
        before.latency = Some(latency);
        text
    }

    /// What happened for each micro-segment, by name, and last for the default price.
    fn rows(&self, before: &Before) -> Vec<(String, Row)> {
        let bidder = &self.admin.bidder;
        let snapshot = bidder.campaigns.load();
        let named = snapshot.segments.iter().map(|(segment, name)| (name.clone(), Some(*segment)));
        let all = named.chain([("(default price)".to_owned(), None)]);
        let row = |segment: Option<SegmentId>| {
            let outcomes = before.outcomes.get(&segment.map_or(0, |segment| segment.0)).copied().unwrap_or_default();
            Row { bids: bidder.metrics.segment_count(SegmentCount::Bids, segment), ..outcomes }
        };
        all.map(|(name, segment)| (name, row(segment))).collect()
    }
}

/// What happened for one micro-segment since the start, each impression counted once.
#[derive(Clone, Copy, Default)]
struct Row {
    bids: u64,
    wins: u64,
    views: u64,
    clicks: u64,
}

/// What the last line said, so that the next one can tell what is new.
struct Before {
    answered: u64,
    latency: Option<Histogram<u64>>,
    tail: Tail,
    /// By segment; 0: the default price.
    outcomes: BTreeMap<u32, Row>,
}

impl Before {
    fn new(log: &EventLog) -> Self {
        let tail = log.read_from(Stream::Outcomes, log.end(Stream::Outcomes));
        Self { answered: 0, latency: None, tail, outcomes: BTreeMap::new() }
    }

    /// Counts the outcomes since the last line. They are deduplicated, as notices are not.
    fn read_outcomes(&mut self) {
        while let Ok(records) = self.tail.try_next()
            && !records.is_empty()
        {
            for outcome in records.iter().filter_map(|record| record::decode::<Outcome>(&record.value).ok()) {
                let row = self.outcomes.entry(outcome.segment).or_default();
                match outcome.kind() {
                    OutcomeKind::Win => row.wins += 1,
                    OutcomeKind::View => row.views += 1,
                    OutcomeKind::Click => row.clicks += 1,
                    _ => {}
                }
            }
        }
    }

    /// Median and 99th percentile of the requests since the last line, in microseconds.
    fn quantiles(&self, now: &Histogram<u64>) -> (u64, u64) {
        let mut since = now.clone();
        if let Some(before) = &self.latency {
            since.subtract(before).unwrap_or_default();
        }
        (since.value_at_quantile(0.5), since.value_at_quantile(0.99))
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}

/// What all campaigns spent, by currency.
fn spend(books: &Books) -> String {
    let mut by_currency = BTreeMap::new();
    for campaign in &books.campaigns {
        if let Some(currency) = campaign.currency {
            *by_currency.entry(currency).or_insert(0_i128) += campaign.sums.spent;
        }
    }
    let said: Vec<String> =
        by_currency.iter().map(|(currency, nanos)| format!("{} {currency}", units(*nanos))).collect();
    if said.is_empty() { "0".to_owned() } else { said.join(" + ") }
}

/// Nanos as units with six decimals, cut.
fn units(nanos: i128) -> String {
    let micros = nanos / 1_000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The last summary: what was spent, by campaign.
pub(crate) fn last(books: &Books) {
    let mut text = format!("drained; spent {} in all", spend(books));
    for campaign in &books.campaigns {
        let currency = campaign.currency.map(|currency| currency.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "\n    {:<34} today {} {currency}, in all {} {currency}, lent and not yet settled {} {currency}",
            campaign.name,
            units(campaign.spent_today),
            units(campaign.sums.spent),
            units(campaign.sums.outstanding),
        ));
    }
    say(&text);
}

/// Prints to standard output. Who closed it does not want to know.
fn say(text: &str) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{text}");
}
