//! From the books to parts.

use prost::Message;
use proto::wire::{LedgerPolicy, LedgerSnapshot, RememberedImpressions, SnapshotHead, Source};

use super::convert;
use crate::ledger::Ledger;
use crate::limits::{SNAPSHOT_FOLD, SNAPSHOT_PART_BYTES, SNAPSHOT_PART_IMPRESSIONS};

/// Every part, the last of which says how many there are.
pub(super) fn parts(ledger: &Ledger, journal_offset: u64) -> impl Iterator<Item = LedgerSnapshot> + '_ {
    let first = LedgerSnapshot { head: Some(head(ledger, journal_offset)), ..blank(ledger) };
    let pacer = |id| ledger.pacing.pacers.get(id);
    let campaigns = chunks(ledger.accounts.iter().map(move |(id, account)| convert::campaign(*id, account, pacer(id))))
        .map(|campaigns| LedgerSnapshot { campaigns, ..blank(ledger) });
    let above = |id| ledger.pacing.advertisers.get(id);
    let advertisers =
        chunks(ledger.advertisers.iter().map(move |(id, account)| convert::advertiser(*id, account, above(id))))
            .map(|advertisers| LedgerSnapshot { advertisers, ..blank(ledger) });
    let leases = chunks(ledger.leases.iter().map(|(id, lease)| convert::lease(*id, lease)))
        .map(|leases| LedgerSnapshot { leases, ..blank(ledger) });
    let corrected = chunks(ledger.corrected.iter().map(|(sequence, charged)| convert::corrected(*sequence, *charged)))
        .map(|corrected| LedgerSnapshot { corrected, ..blank(ledger) });
    let impressions = ledger.memory.packed(SNAPSHOT_PART_IMPRESSIONS).map(|(minute, packed)| LedgerSnapshot {
        impressions: vec![RememberedImpressions { minute: minute.0, packed }],
        ..blank(ledger)
    });
    let accounts = campaigns.chain(advertisers).chain(leases).chain(corrected);
    let parts = std::iter::once(first).chain(accounts).chain(impressions);
    let mut parts = parts.zip(0..).map(|(part, number)| LedgerSnapshot { part: number, ..part }).peekable();
    std::iter::from_fn(move || {
        let part = parts.next()?;
        let parts = if parts.peek().is_none() { part.part + 1 } else { 0 };
        Some(LedgerSnapshot { parts, ..part })
    })
}

/// A part with nothing in it.
fn blank(ledger: &Ledger) -> LedgerSnapshot {
    let (shard, sequence, epoch) = (ledger.shard.0, ledger.sequence, ledger.epoch);
    LedgerSnapshot { shard, sequence, epoch, ..LedgerSnapshot::default() }
}

fn head(ledger: &Ledger, journal_offset: u64) -> SnapshotHead {
    let positions = ledger.positions.iter().flat_map(|(stream, partitions)| {
        let stream = stream.clone();
        partitions.iter().map(move |(partition, offset)| Source {
            stream: stream.clone(),
            partition: *partition,
            offset: *offset,
        })
    });
    let (charges, oddities) = ledger.tally.counts();
    SnapshotHead {
        fold: SNAPSHOT_FOLD,
        journal_offset,
        now: ledger.now.0,
        policy: Some(LedgerPolicy { rules: ledger.rules, ..ledger.policy.into() }),
        positions: positions.collect(),
        remembered_from: ledger.memory.from().0,
        charges: charges.to_vec(),
        oddities: oddities.to_vec(),
        pacing_due_at: ledger.pacing.due_at.0,
    }
}

/// The messages in order, as many at a time as their bytes allow.
fn chunks<M: Message>(mut messages: impl Iterator<Item = M>) -> impl Iterator<Item = Vec<M>> {
    std::iter::from_fn(move || {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while bytes < SNAPSHOT_PART_BYTES
            && let Some(message) = messages.next()
        {
            bytes += message.encoded_len();
            chunk.push(message);
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}
