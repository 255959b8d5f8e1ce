//! Notices of an auction's end: macros replaced, sent, sent again after a failure, some of them twice.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::answer::Offer;
use super::journal::{Notice, Sent};
use super::{Exchange, Repeats, count};

/// Seconds between the attempts at a notice that was not acknowledged. OpenRTB 2.6 section 7.8 suggests retries over a minute;
/// a bidder that is killed and started again is back long before.
const RETRIES_S: [u64; 6] = [1, 2, 5, 10, 20, 40];
/// How long an answer is waited for. Who does not answer is not asked again by itself: the next attempt may go elsewhere.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time between a win and its billing notice, and between that and a view, in milliseconds.
const PAUSE_MS_MAX: u64 = 300;
/// The share of notices that are sent twice.
const TWICE: f64 = 0.05;
/// The share of impressions that are seen.
const SEEN: f64 = 0.9;

/// Replaces the macros of OpenRTB 2.6 section 4.4.
pub fn substitute(text: &str, offer: &Offer, price_cpm: Option<i64>, loss: Option<(u32, i64)>) -> String {
    let money = |cpm: i64| format!("{}.{:06}", cpm / 1_000_000, cpm % 1_000_000);
    let price = price_cpm.map(money).unwrap_or_default();
    let (reason, to_win) = loss.map_or_else(Default::default, |(reason, cpm)| (reason.to_string(), money(cpm)));
    [
        ("${AUCTION_ID}", offer.request_id.as_str()),
        ("${AUCTION_BID_ID}", ""),
        ("${AUCTION_IMP_ID}", &offer.imp_id),
        ("${AUCTION_SEAT_ID}", ""),
        ("${AUCTION_AD_ID}", ""),
        ("${AUCTION_PRICE}", &price),
        ("${AUCTION_CURRENCY}", "USD"),
        ("${AUCTION_LOSS}", &reason),
        ("${AUCTION_MIN_TO_WIN}", &to_win),
        ("${AUCTION_MBR}", ""),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// The first URL in `markup` whose path goes on from `start`, such as `/n/view/`.
pub fn find_url(markup: &str, start: &str) -> Option<String> {
    let at = markup.find(start)?;
    let from = markup[..at].rfind("http")?;
    let end = markup[at..].find(['"', '\'', ' ', ')', '<', '\\']).map_or(markup.len(), |end| at + end);
    Some(markup[from..end].to_owned())
}

/// How often an advertisement is clicked, in percent: it differs by creative, so that there is something to find out.
pub fn click_percent(crid: &str) -> u32 {
    1 + crid.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 5
}

impl Exchange {
    /// The bid lost: it hears why.
    pub(super) async fn lost(self: &Rc<Self>, offer: &Offer, reason: u32, to_win_cpm: i64) {
        let url = substitute(&offer.lurl, offer, None, Some((reason, to_win_cpm)));
        self.deliver(offer, Notice::Loss, &url, None).await;
    }

    /// The bid won: notice, billing, and a person who may see it and click.
    pub(super) async fn won(self: &Rc<Self>, offer: &Offer, price_cpm: i64) {
        let url = |text: &str| substitute(text, offer, Some(price_cpm), None);
        let (win, billing) = (url(&offer.nurl), url(&offer.burl));
        // Now and then the billing notice comes first.
        let billed = if self.happens(TWICE) {
            let billed = self.deliver(offer, Notice::Billing, &billing, Some(price_cpm)).await;
            self.deliver(offer, Notice::Win, &win, Some(price_cpm)).await;
            billed
        } else {
            self.deliver(offer, Notice::Win, &win, Some(price_cpm)).await;
            sleep(self.delay(PAUSE_MS_MAX)).await;
            self.deliver(offer, Notice::Billing, &billing, Some(price_cpm)).await
        };
        if billed {
            count(&self.totals.billed);
            self.totals.spend_nanos.fetch_add(price_cpm.unsigned_abs(), Ordering::Relaxed);
        }
        self.shown(offer, &url(&offer.adm)).await;
    }

    async fn shown(self: &Rc<Self>, offer: &Offer, markup: &str) {
        sleep(self.delay(PAUSE_MS_MAX)).await;
        if !self.happens(SEEN) {
            return;
        }
        if let Some(view) = find_url(markup, "/n/view/")
            && self.deliver(offer, Notice::View, &view, None).await
        {
            count(&self.totals.views);
        }
        if !self.happens(f64::from(click_percent(&offer.crid)) / 100.0) {
            return;
        }
        if let Some(click) = find_url(markup, "/n/click/")
            && self.deliver(offer, Notice::Click, &click, None).await
        {
            count(&self.totals.clicks);
        }
    }

    /// Sends a notice until it is acknowledged or given up, each time to any node; some are sent once more, as exchanges do.
    async fn deliver(self: &Rc<Self>, offer: &Offer, notice: Notice, url: &str, price_cpm: Option<i64>) -> bool {
        for pause_s in [0].into_iter().chain(RETRIES_S) {
            if pause_s > 0 {
                sleep(Duration::from_secs(pause_s)).await;
            }
            let sent = self.send(notice, url).await;
            if sent.taken {
                self.journal.acknowledged(offer, notice, price_cpm, sent);
                for _ in 0..self.repeats() {
                    let again = self.send(notice, url).await;
                    self.journal.sent(offer, notice, price_cpm, again);
                }
                return true;
            }
            self.journal.sent(offer, notice, price_cpm, sent);
            if sent.status.is_some_and(|status| (400..500).contains(&status)) {
                break;
            }
        }
        count(&self.totals.given_up);
        false
    }

    async fn send(&self, notice: Notice, url: &str) -> Sent {
        let node = self.any(self.client.nodes());
        let Ok(Ok(answer)) = timeout(ANSWER_TIMEOUT, self.client.call(node, url)).await else {
            return Sent { node, status: None, taken: false };
        };
        let taken = match notice {
            Notice::Click => answer.status == 302 && answer.location.is_some_and(|to| to.starts_with("http")),
            _ => (200..300).contains(&answer.status),
        };
        Sent { node, status: Some(answer.status), taken }
    }

    /// How often a notice is sent once more.
    fn repeats(&self) -> usize {
        match self.settings.repeats {
            Repeats::Rare => usize::from(self.happens(TWICE)),
            Repeats::Common => self.any(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        let text = String::new;
        Offer {
            id: text(),
            imp: 0,
            request_id: "r".into(),
            imp_id: "1".into(),
            price_cpm: 1,
            crid: "c".into(),
            cid: text(),
            nurl: text(),
            burl: text(),
            lurl: text(),
            adm: text(),
        }
    }

    #[test]
    fn macros_are_replaced_and_unknown_ones_by_nothing() {
        let said = |text, price, loss| substitute(text, &offer(), price, loss);
        assert_eq!(said("?p=${AUCTION_PRICE}&c=${AUCTION_CURRENCY}", Some(1_230_000), None), "?p=1.230000&c=USD");
        assert_eq!(said("?r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}", None, Some((102, 10))), "?r=102&m=0.000010");
        assert_eq!(said("${AUCTION_ID}/${AUCTION_IMP_ID}${AUCTION_MBR}${AUCTION_PRICE}", None, None), "r/1");
    }

    #[test]
    fn urls_are_found_in_markup() {
        let markup = r#"<a href="http://h:1/n/click/abc"><img src='http://h:1/n/view/def?p=1'></a>"#;
        assert_eq!(find_url(markup, "/n/click/").as_deref(), Some("http://h:1/n/click/abc"));
        assert_eq!(find_url(markup, "/n/view/").as_deref(), Some("http://h:1/n/view/def?p=1"));
        assert_eq!(find_url(markup, "/n/other/"), None);
    }
}
