//! Paced campaigns: when their multipliers are looked at, and what they are found by.

use decision::campaign::Pacing;
use decision::ids::CampaignId;
use decision::time::{LocalTime, Micros};
use proto::wire::{LeaseAsk, LeasePace, lease_record::Event};

use super::account::{Account, AdvertiserAccount, day_of};
use super::{Effects, Ledger};
use crate::limits::PACE_S;
use crate::pacing::{Demand, Pacer, Spent, Terms};

impl Account {
    /// What the campaign is paced by, where it is.
    fn terms(&self) -> Option<Terms<'_>> {
        let budget = self.budget.as_ref().filter(|budget| budget.pacing.is_paced())?;
        Some(Terms {
            pacing: budget.pacing,
            clock: &budget.clock,
            daily: budget.daily.get().into(),
            total: budget.total.get().into(),
            from: budget.from,
            until: budget.until,
        })
    }

    /// The same where it may bid at `now`.
    fn live_terms(&self, now: Micros) -> Option<Terms<'_>> {
        self.terms().filter(|terms| !self.stopped && terms.from <= now && now < terms.until)
    }

    fn spent(&self, now: Micros) -> Spent {
        Spent { today: self.today.on(self.day(now)), in_all: self.sums.spent }
    }
}

impl AdvertiserAccount {
    /// What its campaigns are paced by together, where it has a daily budget: its days are those of UTC.
    fn terms<'a>(&self, utc: &'a LocalTime) -> Option<Terms<'a>> {
        let daily = self.daily?.get().into();
        let (from, until) = (Micros(i64::MIN), Micros(i64::MAX));
        Some(Terms { pacing: Pacing::Even, clock: utc, daily, total: i128::MAX, from, until })
    }

    fn spent(&self, now: Micros) -> Spent {
        Spent { today: self.today.on(day_of(now)), in_all: self.spent }
    }
}

impl Ledger {
    /// A campaign that is published anew keeps its multiplier, and one that is no longer paced loses it: its next grants
    /// say so.
    pub(super) fn set_pacing(&mut self, campaign: CampaignId) {
        let account = &self.accounts[&campaign];
        let is_paced = account.terms().is_some();
        if is_paced {
            self.pacing.pacers.entry(campaign).or_insert_with(Pacer::new);
        } else {
            self.pacing.pacers.remove(&campaign);
        }
        let advertiser = account.advertiser;
        if self.advertisers[&advertiser].daily.is_none() {
            self.pacing.advertisers.remove(&advertiser);
        } else if is_paced {
            self.pacing.advertisers.entry(advertiser).or_insert_with(Pacer::new);
        }
    }

    /// A node asks for money and says what its bids came to.
    pub(super) fn demanded(&mut self, ask: &LeaseAsk, effects: &mut Effects) {
        let (campaign, now) = (CampaignId(ask.campaign), self.now);
        let Some(account) = self.accounts.get(&campaign) else { return };
        // Nodes of an older version do not say how long it took them.
        let span_us = if ask.demand_us == 0 { u64::from(PACE_S) * 1_000_000 } else { ask.demand_us };
        let demand = Demand { amount: ask.demand, since: Micros(now.0.saturating_sub_unsigned(span_us)) };
        let above = self.pacing.advertisers.get_mut(&account.advertiser);
        let above = above.map(|pacer| {
            let (utc, advertiser) = (LocalTime::default(), &self.advertisers[&account.advertiser]);
            if let Some(terms) = advertiser.terms(&utc) {
                pacer.asked(now, demand, terms, advertiser.spent(now));
            }
            &*pacer
        });
        let Some(pacer) = self.pacing.pacers.get_mut(&campaign) else { return };
        let Some(terms) = account.live_terms(now) else { return };
        pacer.asked(now, demand, terms, account.spent(now));
        if pacer.tell(above) {
            let multiplier_ppm = pacer.told_ppm();
            self.tell_pace(campaign, multiplier_ppm, effects);
        }
    }

    /// Whether multipliers are to be looked at.
    pub(super) fn is_pacing_due(&self, now: Micros) -> bool {
        let is_live = |campaign: &CampaignId| self.accounts[campaign].live_terms(now).is_some();
        now >= self.pacing.due_at && self.pacing.pacers.keys().any(is_live)
    }

    /// Looks at the multipliers where they are due, and tells the nodes of those that moved.
    pub(super) fn pace(&mut self, effects: &mut Effects) {
        if self.now < self.pacing.due_at {
            return;
        }
        self.pacing.due_at = self.now.plus_seconds(PACE_S.into());
        let utc = LocalTime::default();
        for (id, pacer) in &mut self.pacing.advertisers {
            let advertiser = &self.advertisers[id];
            if let Some(terms) = advertiser.terms(&utc) {
                pacer.look(self.now, terms, advertiser.spent(self.now));
            }
        }
        let mut moved = Vec::new();
        for (campaign, pacer) in &mut self.pacing.pacers {
            let account = &self.accounts[campaign];
            if let Some(terms) = account.live_terms(self.now) {
                pacer.look(self.now, terms, account.spent(self.now));
                let above = self.pacing.advertisers.get(&account.advertiser);
                moved.extend(pacer.tell(above).then(|| (*campaign, pacer.told_ppm())));
            }
        }
        for (campaign, multiplier_ppm) in moved {
            self.tell_pace(campaign, multiplier_ppm, effects);
        }
    }

    fn tell_pace(&self, campaign: CampaignId, multiplier_ppm: u32, effects: &mut Effects) {
        let pace = LeasePace { campaign: campaign.0, multiplier_ppm };
        effects.leases.push(self.lease_record(Event::Pace(pace)));
    }
}
