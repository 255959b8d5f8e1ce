//! `vernier explain`: why a bid request is bid on, or not.

use std::io::Read;
use std::path::Path;

use bidder::explain::{CampaignExplanation, Explanation};
use bytes::Bytes;
use http::{Method, StatusCode};

use crate::client::{AdminAddress, ask, read};

/// Asks the bidder about the request in `file`.
pub(crate) fn run(admin: &AdminAddress, exchange: &str, file: &Path, json: bool) -> Result<(), String> {
    let mut request = Vec::new();
    let at = |problem: std::io::Error| format!("{}: {problem}", file.display());
    if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut request).map_err(at)?;
    } else {
        request = std::fs::read(file).map_err(at)?;
    }
    let (status, answer) = ask(admin, Method::POST, &format!("/explain?exchange={exchange}"), Bytes::from(request))?;
    if status != StatusCode::OK {
        let error: serde_json::Value = read(status, &answer)?;
        return Err(error["error"].as_str().unwrap_or("refused").to_owned());
    }
    if json {
        println!("{}", String::from_utf8_lossy(&answer));
    } else {
        print!("{}", told(&read(status, &answer)?));
    }
    Ok(())
}

/// An explanation as people read it.
fn told(explanation: &Explanation) -> String {
    let mut lines = Vec::new();
    if let Some(by) = &explanation.restricted_by {
        lines.push(format!("privacy   restricted by {by}: no id is used"));
    }
    lines.push(format!("audience  {}", explanation.audience));
    if !explanation.segments.is_empty() {
        lines.push(format!("segments  {}", explanation.segments.join(", ")));
    }
    lines.push(format!("campaigns as of revision {}", explanation.index_version));
    if let Some(refused) = &explanation.refused {
        lines.push(format!("no impression can be bid on: {refused}"));
    }
    for imp in &explanation.imps {
        lines.push(String::new());
        lines.push(format!("imp {}  {}", imp.imp, imp.decision));
        let width = imp.campaigns.iter().map(|campaign| campaign.campaign.len()).max().unwrap_or(0);
        lines.extend(imp.campaigns.iter().map(|campaign| line(campaign, width)));
    }
    lines.join("\n") + "\n"
}

fn line(campaign: &CampaignExplanation, width: usize) -> String {
    let mut parts = vec![format!("  {:<width$}  {}", campaign.campaign, campaign.result)];
    parts.extend((!campaign.missed.is_empty()).then(|| campaign.missed.join(", ")));
    parts.extend((!campaign.price.is_empty()).then(|| campaign.price.join(" -> ")));
    parts.extend(campaign.creative.as_ref().map(|creative| format!("shows {creative}")));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bidder::explain::ImpExplanation;

    #[test]
    fn an_explanation_reads_as_sentences() {
        let campaign = |name: &str, result: &str, missed: &[&str], price: &[&str], creative: Option<&str>| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            CampaignExplanation {
                campaign: name.into(),
                result: result.into(),
                missed: owned(missed),
                price: owned(price),
                creative: creative.map(Into::into),
            }
        };
        let explanation = Explanation {
            index_version: 7,
            restricted_by: None,
            audience: "known".into(),
            segments: vec!["cart".into()],
            refused: None,
            imps: vec![ImpExplanation {
                imp: "1".into(),
                decision: "bid".into(),
                campaigns: vec![
                    campaign(
                        "boots",
                        "bid",
                        &[],
                        &["5.00 USD for segment cart", "4.00 USD within the limits"],
                        Some("hero / free"),
                    ),
                    campaign("tea", "targeting", &["wants segment tea"], &[], None),
                ],
            }],
        };
        assert_eq!(
            told(&explanation),
            "audience  known\nsegments  cart\ncampaigns as of revision 7\n\nimp 1  bid\n  boots  bid; \
             5.00 USD for segment cart -> 4.00 USD within the limits; shows hero / free\n  tea    targeting; wants segment tea\n"
        );
    }
}
