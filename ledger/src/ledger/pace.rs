//! Paced campaigns: when their multipliers are looked at, and what they are found by.

use decision::ids::CampaignId;
use decision::time::Micros;
use proto::wire::{LeasePace, lease_record::Event};

use super::account::Account;
use super::{Effects, Ledger};
use crate::limits::PACE_S;
use crate::pacing::{Pacer, Spent, Terms};

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

impl Ledger {
    /// A campaign that is published anew keeps its multiplier, and one that is no longer paced loses it: its next grants
    /// say so.
    pub(super) fn set_pacing(&mut self, campaign: CampaignId) {
        if self.accounts[&campaign].terms().is_some() {
            self.pacing.pacers.entry(campaign).or_insert_with(Pacer::new);
        } else {
            self.pacing.pacers.remove(&campaign);
        }
    }

    /// A node asks for money and says what its bids came to.
    pub(super) fn demanded(&mut self, campaign: CampaignId, demand: i64, effects: &mut Effects) {
        let Some(pacer) = self.pacing.pacers.get_mut(&campaign) else { return };
        let account = &self.accounts[&campaign];
        let Some(terms) = account.live_terms(self.now) else { return };
        pacer.asked(self.now, demand, terms, account.spent(self.now));
        if pacer.tell() {
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
        let mut moved = Vec::new();
        for (campaign, pacer) in &mut self.pacing.pacers {
            let account = &self.accounts[campaign];
            if let Some(terms) = account.live_terms(self.now) {
                pacer.look(self.now, terms, account.spent(self.now));
                moved.extend(pacer.tell().then(|| (*campaign, pacer.told_ppm())));
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
