//! A comparison as people read it.

use std::fmt::{self, Display, Formatter};

use super::DayOf;
use super::comparison::{Alarm, Comparison, Group};
use super::differing::{Difference, DifferingList, NotOurs, Part, Way};
use super::group::{Campaign, Figures, Key, Sum};
use super::names::Names;
use super::tolerance::Percent;

impl Display for Comparison<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ((first, last), options) = (self.days, &self.options);
        let by = match options.day_of {
            DayOf::Notice => "when the notice arrived",
            DayOf::Bid => "when the bid was made",
        };
        writeln!(f, "{first} to {last} by {by}, UTC{}, tolerance {} %", options.utc_offset, options.tolerance)?;
        for group in &self.groups {
            writeln!(f, "\n{}", Heading(&group.key, self.names))?;
            self.figures(f, &group.figures)?;
            self.alarms(f, group)?;
        }
        for ((exchange, currency), figures) in &self.totals() {
            writeln!(f, "\ntotal  {exchange}  {currency}")?;
            self.figures(f, figures)?;
        }
        for (way, list) in self.differing.iter().filter(|(_, list)| list.all > 0) {
            self.list(f, *way, list)?;
        }
        writeln!(f, "\n{}, {} alarming", counted(self.groups.len(), "group"), self.alarming())
    }
}

impl Comparison<'_> {
    fn figures(&self, f: &mut Formatter<'_>, figures: &Figures) -> fmt::Result {
        let (ours, theirs, difference) = (figures.ours, figures.theirs, figures.difference());
        let percent = Percent::of(difference.impressions, ours.impressions);
        let told = theirs.map(|theirs| theirs.impressions);
        line(f, "impressions", ours.impressions, told, Signed(difference.impressions), percent)?;
        let percent = Percent::of(difference.spend.get(), ours.spend.get());
        line(f, "spend", ours.spend, theirs.map(|theirs| theirs.spend), difference.spend, percent)?;
        if !self.differing.is_empty() {
            matching(f, figures)?;
        }
        let Figures { above_bid, expired, .. } = figures;
        if expired.impressions > 0 {
            let notices = counted(expired.impressions, "notice");
            writeln!(f, "  expired      {notices} after the token's end, {}: not booked by us", expired.spend)?;
        }
        if above_bid.impressions > 0 {
            let (cut, mut uncut) = (above_bid.spend, ours.spend);
            uncut += cut;
            let impressions = counted(above_bid.impressions, "impression");
            writeln!(f, "  above bid    {impressions}: not cut to our bid, theirs would be {uncut} ({cut:+})")?;
        }
        Ok(())
    }

    fn alarms(&self, f: &mut Formatter<'_>, group: &Group) -> fmt::Result {
        for alarm in &group.alarms {
            f.write_str("  ALARM        ")?;
            match alarm {
                Alarm::OnlyTheirs => f.write_str("only they have it")?,
                Alarm::OnlyOurs => f.write_str("only we have it")?,
                Alarm::Impressions => write!(f, "impressions differ by more than {} %", self.options.tolerance)?,
                Alarm::Spend => write!(f, "spend differs by more than {} %", self.options.tolerance)?,
            }
            if let Some(currency) = group.in_currency {
                let whose = if *alarm == Alarm::OnlyTheirs { "we" } else { "they" };
                write!(f, "; {whose} have it in {currency}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn list(&self, f: &mut Formatter<'_>, way: Way, list: &DifferingList) -> fmt::Result {
        let what = match way {
            Way::OnlyTheirs => "only theirs",
            Way::OnlyOurs => "only ours",
            Way::OtherPrice => "at another price",
            Way::Elsewhere => "in another group",
        };
        writeln!(f, "\n{what}: {}", counted(list.all, "impression"))?;
        let heading = |part: &Part| Heading(&part.key, self.names).to_string();
        for (impression, difference) in list.listed() {
            write!(f, "  {impression}  ")?;
            match difference {
                Difference::OnlyTheirs(theirs, why) => {
                    write!(f, "theirs {}  {}", theirs.spend, heading(theirs))?;
                    match why {
                        NotOurs::Unheard => writeln!(f)?,
                        NotOurs::Expired => writeln!(f, "  expired with us")?,
                        NotOurs::TakenBack => writeln!(f, "  taken back by us")?,
                        NotOurs::Again(line) => writeln!(f, "  once more on line {line}")?,
                    }
                }
                Difference::OnlyOurs(ours) => writeln!(f, "ours {}  {}", ours.spend, heading(ours))?,
                Difference::OtherPrice { theirs, ours } => {
                    writeln!(f, "theirs {}  ours {}  {}", theirs.spend, ours.spend, heading(ours))?;
                }
                Difference::Elsewhere { theirs, ours } => {
                    writeln!(f, "theirs {}  {}", theirs.spend, heading(theirs))?;
                    writeln!(f, "{:36}ours {}  {}", "", ours.spend, heading(ours))?;
                }
            }
        }
        let listed = list.listed().len() as u64;
        if listed < list.all { writeln!(f, "  and {} more", list.all - listed) } else { Ok(()) }
    }
}

/// `ours` and `theirs` of one kind.
fn line<T: Display>(
    f: &mut Formatter<'_>,
    what: &str,
    ours: T,
    theirs: Option<T>,
    difference: impl Display,
    percent: Option<Percent>,
) -> fmt::Result {
    let theirs = theirs.map_or_else(|| "none".to_owned(), |theirs| theirs.to_string());
    write!(f, "  {what:<11}  ours {ours}  theirs {theirs}  difference {difference:+}")?;
    match percent {
        Some(percent) => writeln!(f, " ({percent:+} %)"),
        None => writeln!(f),
    }
}

/// How the difference of a group comes about.
fn matching(f: &mut Formatter<'_>, figures: &Figures) -> fmt::Result {
    let matching = &figures.matching;
    writeln!(f, "  matched      {}", counted(figures.matched(), "impression"))?;
    for (what, of, sum) in [
        ("only theirs", "", matching.only_theirs),
        ("only ours", "", matching.only_ours),
        ("elsewhere", " of theirs that we have in another group", matching.elsewhere_theirs),
        ("elsewhere", " of ours that they have in another group", matching.elsewhere_ours),
    ] {
        if let Sum { impressions: 1.., spend } = sum {
            writeln!(f, "  {what:<11}  {}{of}, {spend}", counted(sum.impressions, "impression"))?;
        }
    }
    if let Sum { impressions: 1.., spend } = matching.other_price {
        writeln!(f, "  other price  {}, {spend:+}", counted(matching.other_price.impressions, "impression"))?;
    }
    Ok(())
}

/// A group's name.
struct Heading<'a>(&'a Key, &'a Names);

impl Display for Heading<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(Key { day, exchange, campaign, currency }, names) = self;
        write!(f, "{day}  {exchange}  campaign ")?;
        match (campaign, names.of(campaign)) {
            (Campaign::Number(number), Some(name)) => write!(f, "{number} {name}")?,
            (Campaign::Number(number), None) => write!(f, "{number}")?,
            (Campaign::Unknown(name), _) => write!(f, "\"{name}\", which none of ours is called")?,
        }
        write!(f, "  {currency}")
    }
}

/// A difference of counts: as money, with a sign unless it is 0.
struct Signed(i128);

impl Display for Signed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{:+}", self.0) }
    }
}

fn counted<N: Display>(count: N, what: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {what}{plural}")
}
