//! The one writer of the stream `campaigns`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decision::money::Nanos;
use decision::time::Micros;
use event_log::{AppendError, EventLog, KeyValue, Offset, OpenError, ReadError, Stream, Tail, Writer, block_on};
use jiff::Timestamp;
use proto::wire::{self, campaigns_record::Change as WireChange};

use crate::answer::{Applied, CampaignView, Campaigns, Changed, State, Stopped};
use crate::limits::BY_BYTES_MAX;
use crate::plan::{Plan, plan};
use crate::problem::{Problem, SourceFile, did_you_mean};
use crate::registry::{BadRecord, Published, Registry, keyed};

/// Changes campaigns, and knows them. Clones are handles to the same. Calls block while the stream is read or written:
/// not for async code, which has [`routes`](crate::admin::routes).
#[derive(Clone)]
pub struct ControlPlane {
    shared: Arc<Shared>,
}

struct Shared {
    log: EventLog,
    clock: Box<dyn Fn() -> Micros + Send + Sync>,
    /// Held from reading what there is to knowing what was written, so that changes never interleave.
    known: Mutex<Known>,
    superseded: AtomicBool,
}

/// What was read of the stream, and who writes it.
struct Known {
    registry: Registry,
    /// Behind the registry; `None`: to be opened there.
    tail: Option<Tail>,
    writer: Writer,
    /// Whether the writer does not know what became of what it wrote, and takes no more.
    unsure: bool,
}

/// Why the stream did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// It cannot be written to at all.
    #[error("cannot write the stream campaigns: {0}")]
    Open(#[from] OpenError),
    /// It cannot be read.
    #[error("cannot read the stream campaigns: {0}")]
    Read(#[from] ReadError),
    /// It does not take the change. Where its storage failed, the change may show up after a restart: applying the
    /// same files again is harmless.
    #[error("cannot write the stream campaigns: {0}")]
    Append(#[from] AppendError),
    /// It holds a record that this program does not understand.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The files have these problems.
    #[error("the files have {} problems", .0.len())]
    Problems(Vec<Problem>),
    /// Who makes the change is not named in a way that can be kept.
    #[error("`by` must be 1 to {BY_BYTES_MAX} bytes without control characters")]
    By,
    /// The stream did not answer.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// Why nothing was stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// There is no such campaign.
    #[error("no campaign `{name}`{hint}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// A name that is near, as the end of a sentence; empty where there is none.
        hint: String,
    },
    /// Who makes the change is not named in a way that can be kept.
    #[error("`by` must be 1 to {BY_BYTES_MAX} bytes without control characters")]
    By,
    /// The stream did not answer.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl ControlPlane {
    /// Takes over from whichever control plane there was, reads the whole stream, then serves. `clock` gives the time of
    /// changes.
    ///
    /// # Errors
    /// The stream cannot be read to its end.
    pub fn open(log: EventLog, clock: impl Fn() -> Micros + Send + Sync + 'static) -> Result<Self, StreamError> {
        // First: whatever another one still writes after that is refused, so what is read then is all there is.
        let writer = open_writer(&log)?;
        let known = Known { registry: Registry::default(), tail: None, writer, unsure: false };
        let control = Self {
            shared: Arc::new(Shared {
                log,
                clock: Box::new(clock),
                known: Mutex::new(known),
                superseded: AtomicBool::new(false),
            }),
        };
        drop(control.caught_up()?);
        Ok(control)
    }

    /// Whether another control plane has taken over, so that this one can change nothing any more.
    pub fn is_superseded(&self) -> bool {
        self.shared.superseded.load(Ordering::Relaxed)
    }

    /// Publishes what `files` change, durably and all at once, or nothing. `dry_run` only says what it would be.
    ///
    /// # Errors
    /// Every problem of the files, or the stream did not answer.
    pub fn apply(&self, files: &[SourceFile], by: &str, dry_run: bool) -> Result<Applied, ApplyError> {
        if !is_name(by) {
            return Err(ApplyError::By);
        }
        let mut known = self.caught_up()?;
        let Plan { changes, records } =
            plan(&known.registry, files, (self.shared.clock)(), by).map_err(ApplyError::Problems)?;
        if !dry_run && !records.is_empty() {
            self.publish(&mut known, records)?;
            tracing::info!(by, changes = changes.len(), revision = known.registry.revision, "campaign files applied");
        }
        Ok(Applied { changes, revision: known.registry.revision, dry_run })
    }

    /// Stops a campaign until it is applied again. Stopping a stopped one changes nothing.
    ///
    /// # Errors
    /// There is no such campaign, or the stream did not answer.
    pub fn stop(&self, name: &str, by: &str) -> Result<Stopped, StopError> {
        if !is_name(by) {
            return Err(StopError::By);
        }
        let mut known = self.caught_up()?;
        let Some(published) = known.registry.campaigns.get(name) else {
            let hint = did_you_mean(name, known.registry.campaigns.keys().map(String::as_str));
            return Err(StopError::Unknown { name: name.to_owned(), hint });
        };
        let change = if published.stopped { Changed::Unchanged } else { Changed::Stopped };
        if change == Changed::Stopped {
            let stop = wire::CampaignStop { campaign: published.campaign.id, name: name.to_owned() };
            let (at, change) = ((self.shared.clock)().0, Some(WireChange::Stop(stop)));
            let record = wire::CampaignsRecord { at, by: by.to_owned(), change, ..Default::default() };
            self.publish(&mut known, vec![keyed(&record)])?;
            tracing::info!(by, campaign = name, revision = known.registry.revision, "campaign stopped");
        }
        Ok(Stopped { name: name.to_owned(), change, revision: known.registry.revision })
    }

    /// The campaigns there are, by name, as of now.
    ///
    /// # Errors
    /// The stream did not answer.
    pub fn campaigns(&self) -> Result<Campaigns, StreamError> {
        let Known { registry, .. } = &*self.caught_up()?;
        let now = (self.shared.clock)();
        let campaigns = registry.campaigns.values().map(|published| view(published, now)).collect();
        Ok(Campaigns { campaigns, revision: registry.revision })
    }

    /// The offset of the last record of the stream; `None`: nothing was ever published.
    ///
    /// # Errors
    /// The stream did not answer.
    pub fn revision(&self) -> Result<Option<u64>, StreamError> {
        Ok(self.caught_up()?.registry.revision)
    }

    /// The registry with everything that is durable. Reading the stream each time, rather than remembering what was
    /// written, leaves nothing to be unsure of after a write that failed.
    fn caught_up(&self) -> Result<MutexGuard<'_, Known>, StreamError> {
        let mut known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.catch_up(&mut known)?;
        Ok(known)
    }

    fn catch_up(&self, known: &mut Known) -> Result<(), StreamError> {
        let Known { registry, tail, writer, unsure } = known;
        let log = &self.shared.log;
        // First, as at the start: it ends what nobody knows the end of.
        if *unsure {
            *writer = open_writer(log)?;
            *unsure = false;
        }
        let end = block_on(log.ends(Stream::Campaigns))?;
        let next = registry.revision.map_or(Offset(0), |revision| Offset(revision).next());
        // Put back only where all went well: a record that was not understood is met again.
        let mut reading = tail.take().unwrap_or_else(|| log.read_from(Stream::Campaigns, &next.into()));
        block_on(reading.read_to(&end, |records| {
            records.iter().try_for_each(|record| registry.take(record)).map_err(StreamError::from)
        }))?;
        *tail = Some(reading);
        Ok(())
    }

    /// Writes `records` all at once and waits until they are durable.
    fn publish(&self, known: &mut Known, records: Vec<KeyValue>) -> Result<(), StreamError> {
        let appended = block_on(known.writer.append_all(Stream::Campaigns, records));
        known.unsure = matches!(appended, Err(AppendError::Unknown { .. }));
        if let Err(AppendError::Fenced { .. }) = appended {
            self.shared.superseded.store(true, Ordering::Relaxed);
        }
        appended?;
        self.catch_up(known)
    }
}

fn open_writer(log: &EventLog) -> Result<Writer, OpenError> {
    block_on(log.writer("control"))
}

fn is_name(by: &str) -> bool {
    (1..=BY_BYTES_MAX).contains(&by.len()) && !by.chars().any(char::is_control)
}

fn view(published: &Published, now: Micros) -> CampaignView {
    let Published { campaign, stopped, revision } = published;
    let advertiser = campaign.advertiser.clone().unwrap_or_default();
    let state = if *stopped {
        State::Stopped
    } else if now.0 < campaign.from {
        State::NotYet
    } else if now.0 >= campaign.until {
        State::Over
    } else {
        State::Running
    };
    CampaignView {
        name: campaign.name.clone(),
        number: campaign.id,
        advertiser: advertiser.name,
        state,
        from: moment(campaign.from),
        until: moment(campaign.until),
        daily_budget: Nanos::new(campaign.daily_budget).to_string(),
        total_budget: Nanos::new(campaign.total_budget).to_string(),
        currency: advertiser.currency,
        revision: *revision,
    }
}

/// A moment as RFC 3339; where no calendar reaches it, its microseconds.
fn moment(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |moment| moment.to_string())
}
