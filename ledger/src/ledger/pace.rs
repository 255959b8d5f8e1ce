//! Paced campaigns: when their multipliers are looked at, and what they are found by.

use std::collections::BTreeMap;

use decision::ids::{AdvertiserId, CampaignId};
use decision::money::ONE_PPM;
use decision::time::Micros;
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

    /// The same where the advertiser's own budget leaves only a part of what the campaign plans for.
    fn terms_within(&self, now: Micros, pacer: &Pacer, advertiser: &AdvertiserAccount) -> Option<Terms<'_>> {
        let terms = self.live_terms(now)?;
        if advertiser.plan_ppm >= ONE_PPM {
            return Some(terms);
        }
        let spent = self.spent(now);
        let left = pacer.planned_left(now, terms, spent) * f64::from(advertiser.plan_ppm) / f64::from(ONE_PPM);
        Some(Terms { daily: terms.daily.min(spent.today + left as i128), ..terms })
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
    pub(super) fn demanded(&mut self, ask: &LeaseAsk, effects: &mut Effects) {
        let campaign = CampaignId(ask.campaign);
        let Some(pacer) = self.pacing.pacers.get_mut(&campaign) else { return };
        let account = &self.accounts[&campaign];
        let terms = account.terms_within(self.now, pacer, &self.advertisers[&account.advertiser]);
        let Some(terms) = terms else { return };
        let since = Micros(self.now.0.saturating_sub_unsigned(ask.demand_us));
        pacer.asked(self.now, Demand { amount: ask.demand, since }, terms, account.spent(self.now));
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
        self.share_advertisers_budgets();
        let mut moved = Vec::new();
        for (campaign, pacer) in &mut self.pacing.pacers {
            let account = &self.accounts[campaign];
            let terms = account.terms_within(self.now, pacer, &self.advertisers[&account.advertiser]);
            if let Some(terms) = terms {
                pacer.look(self.now, terms, account.spent(self.now));
                moved.extend(pacer.tell().then(|| (*campaign, pacer.told_ppm())));
            }
        }
        for (campaign, multiplier_ppm) in moved {
            self.tell_pace(campaign, multiplier_ppm, effects);
        }
    }

    /// What is left of an advertiser's daily budget is shared among its campaigns in proportion to what each plans for.
    fn share_advertisers_budgets(&mut self) {
        let mut planned: BTreeMap<AdvertiserId, f64> = BTreeMap::new();
        for (campaign, pacer) in &self.pacing.pacers {
            let account = &self.accounts[campaign];
            let is_limited = self.advertisers[&account.advertiser].daily.is_some();
            if let Some(terms) = account.live_terms(self.now).filter(|_| is_limited) {
                let left = pacer.planned_left(self.now, terms, account.spent(self.now));
                *planned.entry(account.advertiser).or_insert(0.0) += left;
            }
        }
        let today = day_of(self.now);
        for (id, advertiser) in &mut self.advertisers {
            let planned = planned.get(id).copied().unwrap_or(0.0);
            let left = advertiser.daily.map(|daily| i128::from(daily.get()) - advertiser.today.on(today));
            advertiser.plan_ppm = match left {
                Some(left) if planned > 0.0 => (left as f64 / planned * f64::from(ONE_PPM)) as u32,
                _ => ONE_PPM,
            }
            .min(ONE_PPM);
        }
    }

    fn tell_pace(&self, campaign: CampaignId, multiplier_ppm: u32, effects: &mut Effects) {
        let pace = LeasePace { campaign: campaign.0, multiplier_ppm };
        effects.leases.push(self.lease_record(Event::Pace(pace)));
    }
}
