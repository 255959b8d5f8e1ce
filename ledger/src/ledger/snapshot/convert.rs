//! Single accounts and leases, to the wire and back.

use decision::ids::{AdvertiserId, CampaignId, Currency, LeaseId, NodeId};
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::{
    AdvertiserAccount as WireAdvertiser, AnsweredAsk, CampaignAccount, CampaignBudget, CorrectedCharge, DaySpent,
    MoneySums, OpenDay, OpenLease, PacerState,
};

use super::SnapshotError;
use crate::ledger::Lease;
use crate::ledger::account::{Account, AdvertiserAccount, Budget, DaySpend, Sums, day_of, start_of};
use crate::ledger::days::{DayTotal, Days, wire_day};
use crate::pacing::{Beginning, Curve, Pacer};

const DAMAGED: SnapshotError = SnapshotError::Damaged("an account is damaged");

fn sum(nanos: i128) -> Vec<u8> {
    nanos.to_le_bytes().to_vec()
}

fn read_sum(bytes: &[u8]) -> Result<i128, SnapshotError> {
    bytes.try_into().map(i128::from_le_bytes).map_err(|_| DAMAGED)
}

fn sums(sums: &Sums) -> MoneySums {
    let Sums { granted, charged, returned, outstanding: _, late, corrected, spent: _ } = *sums;
    let corrected = if corrected == 0 { Vec::new() } else { sum(corrected) };
    MoneySums { granted: sum(granted), charged: sum(charged), returned: sum(returned), late: sum(late), corrected }
}

fn read_sums(wire: &MoneySums) -> Result<Sums, SnapshotError> {
    let [granted, charged, returned, late] = [&wire.granted, &wire.charged, &wire.returned, &wire.late];
    let (granted, charged) = (read_sum(granted)?, read_sum(charged)?);
    let (returned, late) = (read_sum(returned)?, read_sum(late)?);
    let corrected = if wire.corrected.is_empty() { 0 } else { read_sum(&wire.corrected)? };
    let outstanding = granted.checked_sub(charged).and_then(|left| left.checked_sub(returned)).ok_or(DAMAGED)?;
    let spent = charged.checked_add(late).and_then(|booked| booked.checked_add(corrected)).ok_or(DAMAGED)?;
    Ok(Sums { granted, charged, returned, outstanding, late, corrected, spent })
}

fn spent(spend: DaySpend) -> DaySpent {
    DaySpent { day: start_of(spend.day).0, amount: sum(spend.amount) }
}

fn read_spent(wire: Option<DaySpent>) -> Result<DaySpend, SnapshotError> {
    let wire = wire.ok_or(DAMAGED)?;
    Ok(DaySpend { day: day_of(Micros(wire.day)), amount: read_sum(&wire.amount)? })
}

fn budget(campaign: CampaignId, budget: &Budget) -> CampaignBudget {
    let Budget { name, advertiser, currency, daily, total, from, until, pacing, clock } = budget;
    CampaignBudget {
        campaign: campaign.0,
        advertiser: advertiser.0,
        currency: currency.as_str().to_owned(),
        daily: daily.get(),
        total: total.get(),
        from: from.0,
        until: until.0,
        // It stands with the advertiser.
        advertiser_daily: None,
        name: name.clone(),
        pacing: proto::wire::Pacing::from(*pacing).into(),
        local_time: proto::campaign::local_time_record(clock),
    }
}

fn read_budget(wire: CampaignBudget) -> Result<Budget, SnapshotError> {
    Ok(Budget {
        currency: Currency::new(&wire.currency).ok_or(DAMAGED)?,
        advertiser: AdvertiserId(wire.advertiser),
        daily: Nanos::new(wire.daily),
        total: Nanos::new(wire.total),
        from: Micros(wire.from),
        until: Micros(wire.until),
        pacing: proto::campaign::pacing(wire.pacing).ok_or(DAMAGED)?,
        clock: proto::campaign::local_time(wire.local_time.as_ref()).ok_or(DAMAGED)?,
        name: wire.name,
    })
}

pub(super) fn campaign(id: CampaignId, account: &Account, pacer: Option<&Pacer>) -> CampaignAccount {
    let asks = account.asks.iter().map(|(node, (ask, at))| AnsweredAsk { node: node.0, ask: *ask, at: at.0 });
    CampaignAccount {
        campaign: id.0,
        advertiser: account.advertiser.0,
        budget: account.budget.as_ref().map(|known| budget(id, known)),
        stopped: account.stopped,
        sums: Some(sums(&account.sums)),
        today: Some(spent(account.today)),
        asks: asks.collect(),
        pacer: pacer.map(self::pacer),
        days: account.days.open.iter().map(|(day, total)| open_day(*day, total)).collect(),
        open_from: account.days.open_from.map(wire_day),
    }
}

fn open_day(day: i64, total: &DayTotal) -> OpenDay {
    OpenDay { day: wire_day(day), charges: total.charges, charged: sum(total.charged) }
}

fn read_days(wire: &CampaignAccount) -> Result<Days, SnapshotError> {
    let ascend = wire.days.is_sorted_by(|one, next| one.day < next.day);
    if !ascend || wire.days.first().is_some_and(|first| wire.open_from.is_some_and(|from| first.day < from)) {
        return Err(DAMAGED);
    }
    let open = wire
        .days
        .iter()
        .map(|of| Ok((i64::from(of.day), DayTotal { charges: of.charges, charged: read_sum(&of.charged)? })));
    Ok(Days { open: open.collect::<Result<_, SnapshotError>>()?, open_from: wire.open_from.map(i64::from) })
}

pub(super) fn read_campaign(wire: CampaignAccount) -> Result<(CampaignId, Account), SnapshotError> {
    let days = read_days(&wire)?;
    let account = Account {
        advertiser: AdvertiserId(wire.advertiser),
        budget: wire.budget.map(read_budget).transpose()?,
        stopped: wire.stopped,
        sums: read_sums(&wire.sums.ok_or(DAMAGED)?)?,
        today: read_spent(wire.today)?,
        days,
        asks: wire.asks.iter().map(|ask| (NodeId(ask.node), (ask.ask, Micros(ask.at)))).collect(),
    };
    Ok((CampaignId(wire.campaign), account))
}

const HOUR_US: i64 = 3_600 * 1_000_000;

fn pacer(pacer: &Pacer) -> PacerState {
    let known = |at: i64| (at != i64::MIN).then_some(at);
    let Pacer { level, told_ppm, beginning, started, looked_at, spent, demanded_at, .. } = pacer;
    let Pacer { hour, hour_demand, hour_is_whole, charge, delay, curve, .. } = pacer;
    PacerState {
        fall: level.unsigned_abs(),
        told_ppm: *told_ppm,
        begun_at: beginning.map(|first| first.at.0),
        begun_from: beginning.map(|first| first.from.0),
        begun_demand: beginning.map_or(0, |first| first.demand),
        started: *started,
        looked_at: looked_at.map(|at| at.0),
        spent: sum(*spent),
        demanded_at: known(demanded_at.0),
        hour: known(*hour).map(|hour| hour * HOUR_US),
        hour_demand: *hour_demand,
        hour_is_whole: *hour_is_whole,
        charge: *charge,
        delay_us: delay.unsigned_abs(),
        week: curve.logs.iter().map(|log| u32::from(*log)).collect(),
    }
}

pub(super) fn read_pacer(wire: &PacerState) -> Result<Pacer, SnapshotError> {
    let logs: Result<Vec<u16>, _> = wire.week.iter().map(|log| u16::try_from(*log)).collect();
    let first = wire.begun_at.zip(wire.begun_from);
    let beginning = first.map(|(at, from)| Beginning { at: Micros(at), from: Micros(from), demand: wire.begun_demand });
    Ok(Pacer {
        level: i32::try_from(wire.fall).map_err(|_| DAMAGED)?.wrapping_neg(),
        told_ppm: wire.told_ppm,
        beginning,
        started: wire.started,
        looked_at: wire.looked_at.map(Micros),
        spent: read_sum(&wire.spent)?,
        demanded_at: Micros(wire.demanded_at.unwrap_or(i64::MIN)),
        hour: wire.hour.map_or(i64::MIN, |at| at.div_euclid(HOUR_US)),
        hour_demand: wire.hour_demand,
        hour_is_whole: wire.hour_is_whole,
        charge: wire.charge,
        delay: i64::try_from(wire.delay_us).map_err(|_| DAMAGED)?,
        curve: Curve { logs: logs.map_err(|_| DAMAGED)? },
    })
}

pub(super) fn advertiser(id: AdvertiserId, account: &AdvertiserAccount, pacer: Option<&Pacer>) -> WireAdvertiser {
    WireAdvertiser {
        advertiser: id.0,
        daily: account.daily.map(Nanos::get),
        today: Some(spent(account.today)),
        spent: sum(account.spent),
        pacer: pacer.map(self::pacer),
    }
}

/// What is outstanding follows from the leases.
pub(super) fn read_advertiser(wire: WireAdvertiser) -> Result<(AdvertiserId, AdvertiserAccount), SnapshotError> {
    let (daily, today, spent) = (wire.daily.map(Nanos::new), read_spent(wire.today)?, read_sum(&wire.spent)?);
    Ok((AdvertiserId(wire.advertiser), AdvertiserAccount { daily, today, outstanding: 0, spent }))
}

pub(super) fn lease(id: LeaseId, lease: &Lease) -> OpenLease {
    let Lease { node, campaign, granted, charged, returned, handed_back, closes_at } = *lease;
    OpenLease {
        lease: id.0,
        node: node.0,
        campaign: campaign.0,
        granted: granted.get(),
        charged: charged.get(),
        returned: returned.get(),
        handed_back,
        closes_at: closes_at.0,
    }
}

pub(super) fn corrected(sequence: u64, charged: Nanos) -> CorrectedCharge {
    CorrectedCharge { sequence, charged: charged.get() }
}

pub(super) fn read_corrected(wire: &CorrectedCharge) -> (u64, Nanos) {
    (wire.sequence, Nanos::new(wire.charged))
}

pub(super) fn read_lease(wire: &OpenLease) -> (LeaseId, Lease) {
    let lease = Lease {
        node: NodeId(wire.node),
        campaign: CampaignId(wire.campaign),
        granted: Nanos::new(wire.granted),
        charged: Nanos::new(wire.charged),
        returned: Nanos::new(wire.returned),
        handed_back: wire.handed_back,
        closes_at: Micros(wire.closes_at),
    };
    (LeaseId(wire.lease), lease)
}
