//! What one exchange does differently from the others: settings, agreed with it and checked by the configuration.

use decision::ids::ExchangeName;
use decision::money::ONE_PPM;
use decision::time::Micros;

use crate::exchange::response::is_plain_url;
use crate::lease::{Losses, Windows};
use crate::limits::TMAX_MS_MAX;
use crate::token::NoticeKind;

/// The settings of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Its name, as it stands in `/bid/{exchange}`.
    pub name: ExchangeName,
    /// Our seat there (`seatbid.seat`).
    pub seat: String,
    /// The version of OpenRTB it speaks.
    pub version: Version,
    /// The auction where a request does not name one (`at`).
    pub auction: Auction,
    /// Whether its `user.id` is an id of ours, because it hosts the match table and puts our ids there.
    pub user_ids_ours: bool,
    /// The one event that spend is booked on.
    pub billable: Billable,
    /// The notice URLs it calls.
    pub notices: Notices,
    /// What it bills besides media, in millionths of it.
    pub fee_ppm: u32,
    /// How long after a bid a win may still come, in seconds: money is held so long.
    pub auction_window_s: u32,
    /// How long after a win the billable event may still come, in seconds.
    pub billing_window_s: u32,
    /// The milliseconds it waits for an answer where a request does not say so (`tmax`).
    pub tmax_default_ms: u32,
    /// The milliseconds of `tmax` that the network between us takes.
    pub network_allowance_ms: u32,
    /// Whether markup must be secure even where a request does not ask for it (`imp.secure`).
    pub secure_required: bool,
    /// Its substitution macros.
    pub macros: Macros,
}

/// A version of OpenRTB, as far as answers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 2.5 and older: strict receivers refuse fields it does not know.
    V2_5,
    /// 2.6: bids name their media type (`mtype`).
    V2_6,
}

/// How an auction sets the price (`at`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auction {
    /// 1: the winner pays its bid.
    First,
    /// 2: the winner pays the second price.
    Second,
    /// A rule of the exchange's own.
    Other,
}

/// The one event that spend is booked on. The others only corroborate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billable {
    /// The billing notice (`burl`).
    Billing,
    /// The view reported by our markup.
    View,
    /// The win notice (`nurl`), where nothing else exists.
    Win,
}

impl Billable {
    /// The notice that reports it.
    pub const fn kind(self) -> NoticeKind {
        match self {
            Self::Billing => NoticeKind::Billing,
            Self::View => NoticeKind::View,
            Self::Win => NoticeKind::Win,
        }
    }
}

/// The notice URLs an exchange calls. Others are not sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notices {
    /// `nurl`.
    pub win: bool,
    /// `burl`.
    pub billing: bool,
    /// `lurl`.
    pub loss: bool,
}

/// What an exchange replaces in URLs and markup. OpenRTB 2.6 section 4.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macros {
    /// The clearing price.
    pub price: String,
    /// The currency of that price.
    pub currency: String,
    /// The reason of a loss.
    pub loss: String,
    /// The least price that would have won.
    pub min_to_win: String,
}

impl Default for Macros {
    fn default() -> Self {
        Self {
            price: "${AUCTION_PRICE}".into(),
            currency: "${AUCTION_CURRENCY}".into(),
            loss: "${AUCTION_LOSS}".into(),
            min_to_win: "${AUCTION_MIN_TO_WIN}".into(),
        }
    }
}

impl Macros {
    fn all(&self) -> [&str; 4] {
        [&self.price, &self.currency, &self.loss, &self.min_to_win]
    }
}

impl Dialect {
    /// An exchange that follows OpenRTB 2.6 to the letter:
    /// - first-price auctions: since 2.6 all large exchanges hold these, although the specification's default is 2;
    /// - spend is booked on `burl` (section 7.8), and all three notices are called;
    /// - a win comes within a minute, the billing notice of a banner within five minutes more (section 7.2: one minute on
    ///   the web, five in applications);
    /// - it bills nothing besides media;
    /// - an answer is awaited for 100 ms, of which the network takes 20.
    pub fn new(name: ExchangeName) -> Self {
        Self {
            name,
            seat: "vernier".into(),
            version: Version::V2_6,
            auction: Auction::First,
            user_ids_ours: false,
            billable: Billable::Billing,
            notices: Notices { win: true, billing: true, loss: true },
            fee_ppm: 0,
            auction_window_s: 60,
            billing_window_s: 300,
            tmax_default_ms: 100,
            network_allowance_ms: 20,
            secure_required: false,
            macros: Macros::default(),
        }
    }

    /// By when a bid that is made at `now` must be won and billed.
    pub fn windows(&self, now: Micros) -> Windows {
        let won_by = now.plus_seconds(self.auction_window_s.into());
        Windows { won_by, billed_by: won_by.plus_seconds(self.billing_window_s.into()) }
    }

    /// Whether it tells of losses.
    pub const fn losses(&self) -> Losses {
        if self.notices.loss { Losses::Told } else { Losses::Untold }
    }

    /// Whether a bid carries a URL for this kind of notice. Views and clicks are reported by our markup everywhere.
    pub const fn sends(&self, kind: NoticeKind) -> bool {
        match kind {
            NoticeKind::Win => self.notices.win,
            NoticeKind::Billing => self.notices.billing,
            NoticeKind::Loss => self.notices.loss,
            NoticeKind::View | NoticeKind::Click => true,
        }
    }

    /// Whether the URL for this kind of notice carries the price: of every win and billing notice, and of what is billable.
    pub fn priced(&self, kind: NoticeKind) -> bool {
        matches!(kind, NoticeKind::Win | NoticeKind::Billing) || kind == self.billable.kind()
    }

    /// The milliseconds we have for a request with this `tmax` (0: none given), from its arrival until our answer leaves.
    pub fn deadline_ms(&self, tmax_ms: u32) -> u32 {
        let tmax_ms = if tmax_ms == 0 { self.tmax_default_ms } else { tmax_ms };
        tmax_ms.min(TMAX_MS_MAX).saturating_sub(self.network_allowance_ms)
    }

    /// Settings that contradict each other, each as a sentence; none for settings that can be used.
    pub fn problems(&self) -> Vec<&'static str> {
        let rules = [
            (self.seat.is_empty(), "the seat is empty"),
            (!self.sends(self.billable.kind()), "the billable event is a notice that the exchange does not send"),
            (self.fee_ppm > ONE_PPM, "the fee is more than all of media"),
            (self.auction_window_s == 0, "the auction window is zero"),
            (self.billing_window_s == 0, "the billing window is zero"),
            (self.deadline_ms(0) == 0, "the network allowance leaves no time of the default tmax"),
            (self.tmax_default_ms > TMAX_MS_MAX, "the default tmax is longer than any auction"),
            (self.macros.price.is_empty(), "the price macro is empty"),
            (!self.macros.all().into_iter().all(is_plain_url), "a macro has a character that cannot stand in markup"),
        ];
        rules.into_iter().filter(|(wrong, _)| *wrong).map(|(_, sentence)| sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> Dialect {
        Dialect::new(ExchangeName::new("demo").expect("a short name"))
    }

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(dialect().problems(), Vec::<&str>::new());
    }

    #[test]
    fn every_contradiction_is_reported_at_once() {
        let wrong = Dialect {
            seat: String::new(),
            notices: Notices { win: true, billing: false, loss: true },
            fee_ppm: ONE_PPM + 1,
            network_allowance_ms: 100,
            macros: Macros { price: "\">${AUCTION_PRICE}".into(), ..Macros::default() },
            ..dialect()
        };
        assert_eq!(wrong.problems().len(), 5);
        assert_eq!(Dialect { billable: Billable::View, ..wrong }.problems().len(), 4);
    }

    #[test]
    fn a_deadline_leaves_time_for_the_network() {
        for (tmax_ms, deadline_ms) in [(0, 80), (250, 230), (15, 0), (u32::MAX, TMAX_MS_MAX - 20)] {
            assert_eq!(dialect().deadline_ms(tmax_ms), deadline_ms);
        }
    }
}
