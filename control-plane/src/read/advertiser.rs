//! An advertiser as a document.

use decision::campaign::{Advertiser, AdvertiserDraft};
use decision::ids::AdvertiserId;
use proto::wire;

use super::At;

const KEYS: &[&str] = &["advertiser", "currency", "domain", "categories", "daily_budget"];

/// Reads the advertiser with this number and name. What is wrong is noted; `None` then.
pub(crate) fn advertiser(document: &At<'_>, id: u32, name: &str) -> Option<wire::Advertiser> {
    let before = document.problems.len();
    let fields = document.fields(KEYS)?;
    let text = |key: &str| fields.require(key).and_then(|at| at.text()).unwrap_or_default().to_owned();
    let draft = AdvertiserDraft {
        id,
        name: name.to_owned(),
        currency: text("currency"),
        domain: text("domain"),
        categories: fields.list("categories").iter().map(|at| at.text().unwrap_or("-").to_owned()).collect(),
    };
    let daily_budget = fields.get("daily_budget").and_then(|at| {
        let amount = at.amount();
        if amount.is_some_and(|amount| amount <= 0) {
            at.problem("must be above 0");
        }
        amount
    });
    match Advertiser::try_from(draft) {
        Ok(Advertiser { id: AdvertiserId(id), name, currency, domain, categories }) => Some(wire::Advertiser {
            id,
            name,
            currency: currency.as_str().to_owned(),
            domain,
            categories,
            daily_budget,
        }),
        Err(problems) => {
            document.note(
                before,
                problems.into_iter().map(|problem| {
                    let path = problem.path.strip_prefix("advertiser.").map(str::to_owned);
                    (path.unwrap_or(problem.path), problem.message)
                }),
            );
            None
        }
    }
}
