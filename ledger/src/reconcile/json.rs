//! A comparison as JSON: an object a line.

use decision::ids::ImpressionId;
use serde::Serialize;

use super::DayOf;
use super::comparison::{Alarm, Comparison, Group};
use super::differing::{Difference, NotOurs, Part, Way};
use super::group::{Campaign, Figures, Key, Sum};
use super::names::Names;
use super::tolerance::Percent;

/// `line` says what a line is.
#[derive(Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line<'a> {
    Group {
        #[serde(flatten)]
        key: KeyParts<'a>,
        #[serde(flatten)]
        figures: FiguresParts,
        alarms: Vec<&'static str>,
        /// Where one side lacks it: the currency it has it in.
        in_currency: Option<&'a str>,
    },
    Total {
        exchange: &'a str,
        currency: &'a str,
        #[serde(flatten)]
        figures: FiguresParts,
    },
    Impression {
        difference: &'static str,
        impression: String,
        ours: Option<PartParts<'a>>,
        theirs: Option<PartParts<'a>>,
        expired: bool,
        again_on_line: Option<u64>,
        taken_back: bool,
    },
    Summary {
        first_day: String,
        last_day: String,
        day_of: &'static str,
        utc_offset: String,
        tolerance_percent: String,
        groups: usize,
        alarming: usize,
        /// How many impressions differ, listed or not; absent where the report is not by impression.
        differing: Option<Counts>,
    },
}

#[derive(Serialize)]
struct KeyParts<'a> {
    day: String,
    exchange: &'a str,
    campaign: Option<u32>,
    campaign_name: Option<&'a str>,
    currency: &'a str,
}

#[derive(Serialize)]
struct FiguresParts {
    ours: SumParts,
    theirs: Option<SumParts>,
    difference: DifferenceParts,
    expired: SumParts,
    above_bid: SumParts,
    matching: Option<MatchingParts>,
}

#[derive(Serialize)]
struct SumParts {
    impressions: i128,
    spend: String,
}

#[derive(Serialize)]
struct DifferenceParts {
    impressions: i128,
    impressions_percent: Option<String>,
    spend: String,
    spend_percent: Option<String>,
}

#[derive(Serialize)]
struct MatchingParts {
    matched: i128,
    only_theirs: SumParts,
    only_ours: SumParts,
    other_price: SumParts,
    elsewhere_theirs: SumParts,
    elsewhere_ours: SumParts,
}

#[derive(Serialize)]
struct PartParts<'a> {
    #[serde(flatten)]
    key: KeyParts<'a>,
    spend: String,
}

#[derive(Default, Serialize)]
struct Counts {
    only_theirs: u64,
    only_ours: u64,
    other_price: u64,
    elsewhere: u64,
}

impl Comparison<'_> {
    /// A line of JSON for each group, each total and each impression that is listed, and one for the whole at the end.
    /// Money is decimal text, exact; so are percentages, rounded away from zero.
    pub fn json_lines(&self) -> impl Iterator<Item = String> {
        let groups = self.groups.iter().map(|group| self.group_line(group));
        let totals = self.totals().into_iter().map(|((exchange, currency), figures)| {
            let line = Line::Total {
                exchange: exchange.as_str(),
                currency: currency.as_str(),
                figures: self.both_sides(&figures),
            };
            text(&line)
        });
        let listed = self.differing.iter().flat_map(|(_, list)| list.listed());
        let listed = listed.map(|(impression, difference)| text(&self.impression_line(impression, difference)));
        groups
            .map(|line| text(&line))
            .chain(totals)
            .chain(listed)
            .chain(std::iter::once_with(|| text(&self.summary_line())))
    }

    fn group_line<'a>(&'a self, group: &'a Group) -> Line<'a> {
        let alarms = group.alarms.iter().map(|alarm| match alarm {
            Alarm::OnlyTheirs => "only_theirs",
            Alarm::OnlyOurs => "only_ours",
            Alarm::Impressions => "impressions",
            Alarm::Spend => "spend",
        });
        Line::Group {
            key: key(&group.key, self.names),
            figures: self.both_sides(&group.figures),
            alarms: alarms.collect(),
            in_currency: group.in_currency.as_ref().map(|currency| currency.as_str()),
        }
    }

    fn both_sides(&self, figures: &Figures) -> FiguresParts {
        let (ours, difference, matching) = (figures.ours, figures.difference(), &figures.matching);
        let percent = |difference, ours| Percent::of(difference, ours).map(|percent| percent.to_string());
        FiguresParts {
            ours: sum(ours),
            theirs: figures.theirs.map(sum),
            difference: DifferenceParts {
                impressions: difference.impressions,
                impressions_percent: percent(difference.impressions, ours.impressions),
                spend: difference.spend.to_string(),
                spend_percent: percent(difference.spend.get(), ours.spend.get()),
            },
            expired: sum(figures.expired),
            above_bid: sum(figures.above_bid),
            matching: (!self.differing.is_empty()).then(|| MatchingParts {
                matched: figures.matched(),
                only_theirs: sum(matching.only_theirs),
                only_ours: sum(matching.only_ours),
                other_price: sum(matching.other_price),
                elsewhere_theirs: sum(matching.elsewhere_theirs),
                elsewhere_ours: sum(matching.elsewhere_ours),
            }),
        }
    }

    fn impression_line<'a>(&'a self, impression: ImpressionId, difference: &'a Difference) -> Line<'a> {
        let part = |part: &'a Part| Some(PartParts { key: key(&part.key, self.names), spend: part.spend.to_string() });
        let (what, ours, theirs, why) = match difference {
            Difference::OnlyTheirs(theirs, why) => ("only_theirs", None, part(theirs), Some(*why)),
            Difference::OnlyOurs(ours) => ("only_ours", part(ours), None, None),
            Difference::OtherPrice { theirs, ours } => ("other_price", part(ours), part(theirs), None),
            Difference::Elsewhere { theirs, ours } => ("elsewhere", part(ours), part(theirs), None),
        };
        let again_on_line = if let Some(NotOurs::Again(line)) = why { Some(line) } else { None };
        Line::Impression {
            difference: what,
            impression: impression.to_string(),
            ours,
            theirs,
            expired: why == Some(NotOurs::Expired),
            again_on_line,
            taken_back: why == Some(NotOurs::TakenBack),
        }
    }

    fn summary_line(&self) -> Line<'_> {
        let mut counts = Counts::default();
        for (way, list) in &self.differing {
            match way {
                Way::OnlyTheirs => counts.only_theirs = list.all,
                Way::OnlyOurs => counts.only_ours = list.all,
                Way::OtherPrice => counts.other_price = list.all,
                Way::Elsewhere => counts.elsewhere = list.all,
            }
        }
        Line::Summary {
            first_day: self.days.0.to_string(),
            last_day: self.days.1.to_string(),
            day_of: match self.options.day_of {
                DayOf::Notice => "notice",
                DayOf::Bid => "bid",
            },
            utc_offset: self.options.utc_offset.to_string(),
            tolerance_percent: self.options.tolerance.to_string(),
            groups: self.groups.len(),
            alarming: self.alarming(),
            differing: (!self.differing.is_empty()).then_some(counts),
        }
    }
}

fn key<'a>(key: &'a Key, names: &'a Names) -> KeyParts<'a> {
    KeyParts {
        day: key.day.to_string(),
        exchange: key.exchange.as_str(),
        campaign: match &key.campaign {
            Campaign::Number(number) => Some(number.0),
            Campaign::Unknown(_) => None,
        },
        campaign_name: names.of(&key.campaign),
        currency: key.currency.as_str(),
    }
}

fn sum(sum: Sum) -> SumParts {
    SumParts { impressions: sum.impressions, spend: sum.spend.to_string() }
}

fn text(line: &Line<'_>) -> String {
    serde_json::to_string(line).expect("maps with string keys, strings and numbers are JSON")
}
