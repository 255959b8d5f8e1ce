//! `[[exchange]]`: whom the bidder answers, and what each does differently.

use bidder::exchange::dialect::{Auction, Billable, Dialect, Version};
use bidder::exchange::response::is_plain_url;
use decision::ids::ExchangeName;
use decision::money::parse_percent;

use super::reader::{Reader, number, one_of, truth};

/// Every exchange there is, also those with problems.
pub(super) fn all(r: &mut Reader) -> Vec<Dialect> {
    let mut exchanges: Vec<Dialect> = Vec::new();
    let tables = r.tables("exchange");
    for at in 0..tables {
        let name_key = format!("exchange[{at}].name");
        let name = r.find(&name_key, |text| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let name = ExchangeName::new(text).filter(|_| text.bytes().all(plain));
            name.ok_or_else(|| "must be 1 to 16 of a-z, 0-9 and -".to_owned())
        });
        let stand_in = || ExchangeName::new("unnamed").expect("short and plain");
        let exchange = one(r, at, name.unwrap_or_else(stand_in));
        contradictions(r, at, &exchange);
        match name {
            None if !r.is_given(&name_key) => r.refuse(&name_key, "an exchange needs a name"),
            Some(name) if exchanges.iter().any(|other| other.name == name) => {
                r.refuse(&name_key, "there is another exchange of this name");
            }
            _ => {}
        }
        exchanges.push(exchange);
    }
    if tables == 0 && r.is_whole() {
        r.refuse("exchange", "there must be at least one [[exchange]]");
    }
    exchanges
}

fn one(r: &mut Reader, at: usize, name: ExchangeName) -> Dialect {
    let mut dialect = Dialect::new(name);
    let key = |setting: &str| format!("exchange[{at}].{setting}");
    let seconds = |r: &mut Reader, setting: &str, value: &mut u32, max: u64| {
        *value = r.get(&key(setting), u64::from(*value), number(1, max)) as u32;
    };
    seconds(r, "auction_window_s", &mut dialect.auction_window_s, 3_600);
    seconds(r, "billing_window_s", &mut dialect.billing_window_s, 3_600);
    seconds(r, "tmax_default_ms", &mut dialect.tmax_default_ms, 10_000);
    dialect.network_allowance_ms =
        r.get(&key("network_allowance_ms"), u64::from(dialect.network_allowance_ms), number(0, 10_000)) as u32;
    dialect.seat = r.get(&key("seat"), dialect.seat, |text| match text {
        "" => Err("must name our seat".to_owned()),
        seat => Ok(seat.to_owned()),
    });
    dialect.version =
        r.get(&key("openrtb"), dialect.version, one_of(&[("2.5", Version::V2_5), ("2.6", Version::V2_6)]));
    let auctions = one_of(&[("first", Auction::First), ("second", Auction::Second), ("other", Auction::Other)]);
    dialect.auction = r.get(&key("auction"), dialect.auction, auctions);
    dialect.user_ids_ours =
        r.get(&key("user_ids"), dialect.user_ids_ours, one_of(&[("ours", true), ("theirs", false)]));
    let billable = one_of(&[("burl", Billable::Billing), ("view", Billable::View), ("nurl", Billable::Win)]);
    dialect.billable = r.get(&key("billable"), dialect.billable, billable);
    dialect.notices.win = r.get(&key("sends_nurl"), dialect.notices.win, truth);
    dialect.notices.billing = r.get(&key("sends_burl"), dialect.notices.billing, truth);
    dialect.notices.loss = r.get(&key("sends_lurl"), dialect.notices.loss, truth);
    dialect.fee_ppm = r.get(&key("fee"), dialect.fee_ppm, |text| {
        parse_percent(text).ok_or_else(|| "must be a share of media from 0% to 100%, such as 2.5%".to_owned())
    });
    dialect.secure_required = r.get(&key("secure_required"), dialect.secure_required, truth);
    dialect.macros.price = r.get(&key("macro_price"), dialect.macros.price, |text| match text {
        "" => Err("must be the macro for the price".to_owned()),
        text => plain_macro(text),
    });
    dialect.macros.loss = r.get(&key("macro_loss"), dialect.macros.loss, plain_macro);
    dialect.macros.min_to_win = r.get(&key("macro_min_to_win"), dialect.macros.min_to_win, plain_macro);
    dialect
}

/// A macro stands in URLs, and those in markup.
fn plain_macro(text: &str) -> Result<String, String> {
    let said = || "must be without characters that need escaping in markup".to_owned();
    if is_plain_url(text) { Ok(text.to_owned()) } else { Err(said()) }
}

/// Settings that are each right and contradict each other.
fn contradictions(r: &mut Reader, at: usize, exchange: &Dialect) {
    let key = |setting: &str| format!("exchange[{at}].{setting}");
    let mut told = false;
    let mut refuse = |settings: [&str; 2], message: &str| {
        let keys = settings.map(key);
        r.refuse_together(&[&keys[0], &keys[1]], message);
        told = true;
    };
    if !exchange.sends(exchange.billable.kind()) {
        let sends = if exchange.billable == Billable::Win { "sends_nurl" } else { "sends_burl" };
        refuse([sends, "billable"], "the billable event is a notice that the exchange does not send");
    }
    if exchange.deadline_ms(0) == 0 {
        let settings = ["network_allowance_ms", "tmax_default_ms"];
        refuse(settings, "the network allowance leaves no time of the default tmax");
    }
    if !told {
        // What the bidder refuses beyond that must not start either.
        exchange.problems().into_iter().for_each(|problem| r.refuse(&key("name"), problem));
    }
}
