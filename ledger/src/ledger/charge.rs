//! Notices: which of them book money, and what all of them tell analysts.

use decision::ids::{AdvertiserId, CampaignId, ImpressionId, LeaseId};
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::{Notice, NoticeKind, Outcome, OutcomeKind, Sealed};

use super::account::{Account, day_of};
use super::memory::{Mark, Seen};
use super::terms::BidTerms;
use super::{Effects, Ledger};
use crate::tally::{Charge, Oddity};

/// The parts of a notice that every rule needs.
struct Claim<'a> {
    notice: &'a Notice,
    sealed: &'a Sealed,
    impression: ImpressionId,
    terms: BidTerms,
    expired: bool,
}

impl<'a> Claim<'a> {
    /// `None` where it lacks what it needs, or where the bid would have cost more than an amount can be.
    fn read(notice: &'a Notice) -> Option<Self> {
        let sealed = notice.sealed.as_ref()?;
        let impression = ImpressionId(notice.impression.as_slice().try_into().ok()?);
        let expired = notice.at > sealed.expires_at;
        let terms = BidTerms::new(sealed.price, sealed.rate, sealed.fees.as_ref())?;
        Some(Self { notice, sealed, impression, terms, expired })
    }

    /// The outcome and mark of a kind that is shown whether it books money or not.
    fn event(&self) -> Option<(OutcomeKind, Mark)> {
        match self.notice.kind() {
            NoticeKind::Win => Some((OutcomeKind::Win, Mark::Win)),
            NoticeKind::Loss => Some((OutcomeKind::Loss, Mark::Loss)),
            NoticeKind::View => Some((OutcomeKind::View, Mark::View)),
            NoticeKind::Click => Some((OutcomeKind::Click, Mark::Click)),
            NoticeKind::Billing | NoticeKind::Unspecified => None,
        }
    }

    /// The price at which a billable notice is to be booked, which is remembered, or why it books nothing.
    fn price(&self, seen: Option<&mut Seen>) -> Result<Nanos, Charge> {
        let price = self.notice.price.filter(|price| *price >= 0).map(Nanos::new).ok_or(Charge::Unpriced)?;
        // Forgotten: it may have been charged before, so it must not be now.
        let seen = seen.ok_or(Charge::Expired)?;
        match seen.charged() {
            Some(first) if first == price => Err(Charge::Repeated),
            Some(_) => Err(Charge::Contradicted),
            None if self.expired => Err(if seen.mark(Mark::Expired) { Charge::Expired } else { Charge::Repeated }),
            None => {
                seen.charge(price);
                Ok(price)
            }
        }
    }

    fn outcome(&self, kind: OutcomeKind) -> Outcome {
        let (notice, sealed) = (self.notice, self.sealed);
        Outcome {
            kind: kind.into(),
            impression: notice.impression.clone(),
            at: notice.at,
            bid_at: sealed.bid_at,
            exchange: sealed.exchange.clone(),
            campaign: sealed.campaign,
            advertiser: sealed.advertiser,
            creative: sealed.creative,
            variant: sealed.variant,
            segment: sealed.segment,
            arm: sealed.arm,
            person: sealed.person.clone(),
            node: sealed.node,
            lease: sealed.lease,
            bid_price: sealed.price,
            notice_price: notice.price,
            currency: sealed.currency.clone(),
            rate: sealed.rate,
            loss_reason: notice.loss_reason,
            min_to_win: notice.min_to_win,
            index_version: sealed.index_version,
            ..Outcome::default()
        }
    }
}

impl Ledger {
    pub(super) fn notice(&mut self, notice: &Notice, effects: &mut Effects) {
        let Some(claim) = Claim::read(notice) else {
            return self.tally.odd(Oddity::Malformed);
        };
        if notice.void {
            return self.tally.odd(Oddity::Void);
        }
        let mut seen = self.memory.recall(claim.impression, Micros(claim.sealed.expires_at));
        let mut heard = None;
        if let Some((kind, mark)) = claim.event() {
            match &mut seen {
                Some(seen) if !claim.expired => {
                    // A node that wrote it down may have had no time to act on it, so that the exchange repeats it to another.
                    heard = Some(mark);
                    if seen.mark(mark) {
                        effects.outcomes.push(claim.outcome(kind));
                    } else {
                        self.tally.odd(Oddity::RepeatedEvent);
                    }
                }
                _ => self.tally.odd(Oddity::ExpiredEvent),
            }
        }
        if notice.billable {
            match claim.price(seen) {
                Ok(price) => self.book(&claim, price, effects),
                Err(charge) => {
                    self.tally.charge(charge);
                    if charge == Charge::Expired {
                        effects.outcomes.push(claim.outcome(OutcomeKind::Expired));
                    }
                }
            }
        }
        self.tell(&claim, heard);
        for outcome in &mut effects.outcomes {
            self.complete(outcome);
        }
    }

    /// Of a win or a loss that another node was told of, the node that bid is told: money that the bid holds there depends on it.
    fn tell(&mut self, claim: &Claim<'_>, heard: Option<Mark>) {
        let Claim { notice, sealed, .. } = claim;
        let (lease, impression) = (LeaseId(sealed.lease), || notice.impression.clone());
        if self.rules < 2 || notice.node == sealed.node || !self.leases.contains_key(&lease) {
            return;
        }
        match heard {
            Some(Mark::Win) => self.unsettled(lease).won.push(impression()),
            Some(Mark::Loss) => self.unsettled(lease).lost.push(impression()),
            _ => {}
        }
    }

    fn book(&mut self, claim: &Claim<'_>, price: Nanos, effects: &mut Effects) {
        let (sealed, bid) = (claim.sealed, Nanos::new(claim.sealed.price));
        let (campaign, lease) = (CampaignId(sealed.campaign), LeaseId(sealed.lease));
        let above_bid = price > bid;
        if above_bid {
            self.tally.odd(Oddity::AboveBid);
        }
        let parts = claim.terms.charge(price);
        let amount = parts.gross();
        // Spend counts on the day on which the notice arrived, by the ledger's clock where a node's is ahead of it.
        let arrived = Micros(claim.notice.at).min(self.now);
        let account = self.accounts.entry(campaign);
        let account = account.or_insert_with(|| Account::new(AdvertiserId(sealed.advertiser), None));
        let lent = self.leases.get_mut(&lease).filter(|lease| lease.campaign == campaign);
        let charge = match &lent {
            _ if account.budget.is_none() => Charge::Unmatched,
            None => Charge::Late,
            Some(lease) if !lease.holds(amount) => Charge::Overdrawn,
            Some(_) => Charge::Made,
        };
        let advertiser = self.advertisers.entry(account.advertiser).or_default();
        let day = account.day(arrived);
        account.today.add(day, amount);
        advertiser.today.add(day_of(arrived), amount);
        advertiser.spent += i128::from(amount.get());
        let own = self.pacing.pacers.get_mut(&campaign).into_iter();
        for pacer in own.chain(self.pacing.advertisers.get_mut(&account.advertiser)) {
            pacer.charged(amount.get(), self.now.0.saturating_sub(sealed.bid_at));
        }
        match lent {
            Some(lent) if charge == Charge::Made => {
                lent.charged = lent.charged.saturating_add(amount);
                account.sums.charge(amount);
                advertiser.outstanding -= i128::from(amount.get());
                self.total.charge(amount);
                self.unsettled(lease).impressions.push(claim.notice.impression.clone());
                self.close_if_done(lease);
            }
            _ => {
                account.sums.book_late(amount);
                self.total.book_late(amount);
            }
        }
        let day = self.count_day(campaign, day, amount);
        self.tally.charge(charge);
        let kind = if charge == Charge::Unmatched { OutcomeKind::Unmatched } else { OutcomeKind::Charge };
        effects.outcomes.push(Outcome {
            charged: amount.get(),
            parts: claim.terms.shown(parts),
            fees: claim.terms.fees(),
            late: charge != Charge::Made,
            overdrawn: charge == Charge::Overdrawn,
            above_bid,
            day,
            ..claim.outcome(kind)
        });
    }

    /// Adds what the ledger knows to what the notice said.
    pub(super) fn complete(&self, outcome: &mut Outcome) {
        outcome.shard = self.shard.0;
        outcome.sequence = self.sequence;
        let account = self.accounts.get(&CampaignId(outcome.campaign));
        if let Some(budget) = account.and_then(|account| account.budget.as_ref()) {
            outcome.campaign_currency = budget.currency.as_str().to_owned();
        }
    }
}
