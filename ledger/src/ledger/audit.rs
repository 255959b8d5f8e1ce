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
        let mut total = Sums::default();
        let (mut by_campaign, mut by_advertiser) = (BTreeMap::new(), BTreeMap::new());
        for lease in self.leases.values() {
            let outstanding = i128::from(lease.granted.get() - lease.charged.get() - lease.returned.get());
            assert!(outstanding >= 0, "a lease was charged more than it holds: {lease:?}");
            *by_campaign.entry(lease.campaign).or_insert(0) += outstanding;
        }
        for (id, account) in &self.accounts {
            total += account.sums;
            let lent = by_campaign.remove(id).unwrap_or(0);
            assert_eq!(account.sums.outstanding, lent, "outstanding of campaign {id}, by its leases");
            *by_advertiser.entry(account.advertiser).or_insert(0) += account.sums.outstanding;
        }
        assert!(by_campaign.is_empty(), "leases of campaigns without an account: {by_campaign:?}");
        assert_eq!(total, self.total, "the total, by campaign");
        for (id, advertiser) in &self.advertisers {
            let lent = by_advertiser.remove(id).unwrap_or(0);
            assert_eq!(advertiser.outstanding, lent, "outstanding of advertiser {id}, by its campaigns");
        }
        assert_eq!(self.closings.len(), self.leases.len(), "every open lease is to be closed once");
    }
}
