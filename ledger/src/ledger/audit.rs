//! Looks at the books as a whole: for others, and to check that they agree.

use std::collections::BTreeMap;

use decision::money::Nanos;
use decision::time::Micros;

use super::{Ledger, Sums};
use crate::books::{Books, CampaignBooks};

impl Ledger {
    /// A copy of what others may know.
    pub fn books(&self, now: Micros) -> Books {
        let campaigns = self.accounts.iter().map(|(campaign, account)| {
            let budget = account.budget.as_ref();
            CampaignBooks {
                campaign: *campaign,
                name: budget.map_or_else(String::new, |budget| budget.name.clone()),
                advertiser: account.advertiser,
                currency: budget.map(|budget| budget.currency),
                stopped: account.stopped,
                daily_budget: budget.map_or(Nanos::ZERO, |budget| budget.daily),
                total_budget: budget.map_or(Nanos::ZERO, |budget| budget.total),
                spent_today: account.today.on(account.day(now)),
                multiplier_ppm: self.pacing.multiplier_ppm(*campaign),
                sums: account.sums,
            }
        });
        Books {
            sequence: self.sequence,
            epoch: self.epoch,
            open_leases: self.leases.len(),
            impressions_remembered: self.memory.len(),
            campaigns: campaigns.collect(),
            tally: self.tally.clone(),
        }
    }

    /// Adds everything up again from the single leases and campaigns. Every step checks what it touches; this checks
    /// that what was touched apart belongs together.
    ///
    /// # Panics
    /// When it does not.
    pub fn audit(&self) {
        self.agree().unwrap_or_else(|problem| panic!("money was lost or made: {problem}"));
    }

    /// What [`Ledger::audit`] finds, for books that come from elsewhere.
    pub(super) fn agree(&self) -> Result<(), String> {
        let mut total = Sums::default();
        let (mut by_campaign, mut by_advertiser, mut spent) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for lease in self.leases.values() {
            let [granted, charged, returned] = [lease.granted, lease.charged, lease.returned].map(Nanos::get);
            let outstanding = i128::from(granted) - i128::from(charged) - i128::from(returned);
            check(outstanding >= 0, || format!("a lease was charged more than it holds: {lease:?}"))?;
            *by_campaign.entry(lease.campaign).or_insert(0) += outstanding;
        }
        for (id, account) in &self.accounts {
            account.sums.agree()?;
            total += account.sums;
            let lent = by_campaign.remove(id).unwrap_or(0);
            let outstanding = account.sums.outstanding;
            check(outstanding == lent, || format!("campaign {id}: {outstanding} outstanding, {lent} by its leases"))?;
            *by_advertiser.entry(account.advertiser).or_insert(0) += outstanding;
            let payer = account.budget.as_ref().map_or(account.advertiser, |budget| budget.advertiser);
            let is_paid = payer == account.advertiser && self.advertisers.contains_key(&payer);
            check(is_paid, || format!("nobody pays for campaign {id}"))?;
            let open: i128 = account.days.open.values().map(|day| day.charged).sum();
            // What is corrected may count on another day than what was booked.
            let are_spent = open <= account.sums.spent || account.sums.corrected != 0;
            check(are_spent, || format!("campaign {id}: {open} on days that are not closed"))?;
            *spent.entry(payer).or_insert(0) += account.sums.spent;
        }
        check(by_campaign.is_empty(), || format!("leases of campaigns without an account: {by_campaign:?}"))?;
        check(total == self.total, || format!("{:?} in all, {total:?} by campaign", self.total))?;
        for (id, advertiser) in &self.advertisers {
            let lent = by_advertiser.remove(id).unwrap_or(0);
            let outstanding = advertiser.outstanding;
            check(outstanding == lent, || format!("advertiser {id}: {outstanding} outstanding, {lent} by campaign"))?;
            let (sum, spent) = (advertiser.spent, spent.remove(id).unwrap_or(0));
            check(sum == spent, || format!("advertiser {id}: {sum} spent, {spent} by campaign"))?;
        }
        check(self.closings.len() == self.leases.len(), || "not every open lease is to be closed once".to_owned())
    }
}

fn check(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}
