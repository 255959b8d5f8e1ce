//! From parts to the books.

use decision::ids::ShardId;
use decision::time::Micros;
use proto::wire::{self, LedgerSnapshot, SnapshotHead};

use super::{SnapshotError, convert};
use crate::ledger::memory::Memory;
use crate::ledger::{Ledger, LedgerPolicy};
use crate::limits::{SNAPSHOT_FOLD, SNAPSHOT_FOLD_OLDEST};
use crate::tally::Tally;

pub(super) fn ledger(parts: impl IntoIterator<Item = LedgerSnapshot>) -> Result<(Ledger, u64), SnapshotError> {
    let mut parts = parts.into_iter();
    let first = parts.next().ok_or(SnapshotError::Damaged("it has no parts"))?;
    let (mut ledger, journal_offset) = begin(&first)?;
    let mut expected = 0;
    let mut last = 0;
    for part in std::iter::once(first).chain(parts) {
        let of_these = part.shard == ledger.shard.0 && (part.sequence, part.epoch) == (ledger.sequence, ledger.epoch);
        if !of_these || part.part != expected || last != 0 {
            return Err(SnapshotError::Damaged("its parts do not belong together"));
        }
        (expected, last) = (expected + 1, part.parts);
        ledger.take(part)?;
    }
    if last != expected {
        return Err(SnapshotError::Damaged("its end is missing"));
    }
    ledger.add_up()?;
    ledger.agree().map_err(SnapshotError::Disagrees)?;
    Ok((ledger, journal_offset))
}

fn begin(first: &LedgerSnapshot) -> Result<(Ledger, u64), SnapshotError> {
    let SnapshotHead {
        fold,
        journal_offset,
        now,
        policy,
        positions,
        remembered_from,
        charges,
        oddities,
        pacing_due_at,
    } = first.head.as_ref().ok_or(SnapshotError::Damaged("its beginning is missing"))?;
    if !(SNAPSHOT_FOLD_OLDEST..=SNAPSHOT_FOLD).contains(fold) {
        return Err(SnapshotError::OtherFold { expected: SNAPSHOT_FOLD, found: *fold });
    }
    let mut ledger = Ledger::new(ShardId(first.shard));
    (ledger.sequence, ledger.epoch, ledger.now) = (first.sequence, first.epoch, Micros(*now));
    let wire::LedgerPolicy { lease_s, billing_window_s, memory_margin_s, rules, .. } =
        policy.ok_or(SnapshotError::Damaged("its policy is missing"))?;
    ledger.policy = LedgerPolicy { lease_s, billing_window_s, memory_margin_s };
    ledger.rules = rules;
    for place in positions {
        ledger.positions.entry(place.stream.clone()).or_default().insert(place.partition, place.offset);
    }
    ledger.memory = Memory::starting(Micros(*remembered_from));
    ledger.tally = Tally::of(charges, oddities).ok_or(SnapshotError::Damaged("its counts are others"))?;
    ledger.pacing.due_at = Micros(*pacing_due_at);
    Ok((ledger, *journal_offset))
}

impl Ledger {
    fn take(&mut self, part: LedgerSnapshot) -> Result<(), SnapshotError> {
        for wire in part.campaigns {
            let pacer = wire.pacer.as_ref().map(convert::read_pacer).transpose()?;
            let (id, account) = convert::read_campaign(wire)?;
            self.pacing.pacers.extend(pacer.map(|pacer| (id, pacer)));
            self.accounts.insert(id, account);
        }
        for wire in part.advertisers {
            let pacer = wire.pacer.as_ref().map(convert::read_pacer).transpose()?;
            let (id, account) = convert::read_advertiser(wire)?;
            self.pacing.advertisers.extend(pacer.map(|pacer| (id, pacer)));
            self.advertisers.insert(id, account);
        }
        self.leases.extend(part.leases.iter().map(convert::read_lease));
        self.corrected.extend(part.corrected.iter().map(convert::read_corrected));
        for impressions in part.impressions {
            let known = self.memory.unpack(Micros(impressions.minute), &impressions.packed);
            known.ok_or(SnapshotError::Damaged("its impressions are cut off"))?;
        }
        Ok(())
    }

    /// Makes what follows from the rest.
    fn add_up(&mut self) -> Result<(), SnapshotError> {
        for (id, account) in &self.accounts {
            self.total += account.sums;
            self.day_closings.extend(account.closes_at().map(|at| (at, *id)));
        }
        for (id, lease) in &self.leases {
            self.closings.insert((lease.closes_at, *id));
            let account = self.accounts.get(&lease.campaign);
            let advertiser = account.and_then(|account| self.advertisers.get_mut(&account.advertiser));
            let advertiser = advertiser.ok_or(SnapshotError::Damaged("a lease has no account"))?;
            advertiser.outstanding += i128::from(lease.outstanding().get());
        }
        Ok(())
    }
}
