//! What is written of a run and of all runs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::audit::{Audit, BILLED, BUDGETS, NOTICES, Point, Spend, TWICE};
use super::plan::Plan;
use super::play::Counts;
use super::{Fault, report_file, run_name};

/// What is written of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) figures: Figures,
    pub(super) passed: bool,
    plan: Plan,
    exchange: Counts,
    /// Of the last minute, at the end of the run.
    load_average: Option<f64>,
    points: Vec<Point>,
    spends: Vec<Spend>,
}

/// What summaries are made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Figures {
    run: u32,
    fault: Fault,
    outage_s: f64,
    #[serde(flatten)]
    found: Found,
    /// Of campaigns that buy whatever they can, the part of the budget, or of what there was to buy, that was not spent: the
    /// mean, and the most.
    under_delivery: Option<[f64; 2]>,
}

/// What was found in one run, or in all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Found {
    /// Notices that were acknowledged.
    acknowledged: usize,
    charges: usize,
    /// Notices and charges that are missing.
    lost: usize,
    /// Impressions that are charged more than once.
    double: usize,
    /// Campaigns that spent more above their budget than they may.
    overspent: usize,
    /// The most that a campaign spent above its budget, as a part of it.
    overspend: f64,
    /// The same in bids of that campaign.
    overspend_bids: f64,
    /// Everything else that must hold and did not.
    other_failures: usize,
}

impl Found {
    fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.charges += other.charges;
        self.lost += other.lost;
        self.double += other.double;
        self.overspent += other.overspent;
        self.overspend = self.overspend.max(other.overspend);
        self.overspend_bids = self.overspend_bids.max(other.overspend_bids);
        self.other_failures += other.other_failures;
    }
}

impl Report {
    pub(super) fn new(plan: Plan, exchange: Counts, audit: Audit, load_average: Option<f64>) -> Self {
        let checked = |name: &str| audit.points.iter().filter(|p| p.name == name).map(|p| p.checked).sum();
        let (lost, double, overspent) =
            (audit.wrong(NOTICES) + audit.wrong(BILLED), audit.wrong(TWICE), audit.wrong(BUDGETS));
        let wrong: usize = audit.points.iter().map(|point| point.wrong.max(usize::from(point.checked == 0))).sum();
        let part = |spend: &Spend| spend.over() as f64 / spend.daily.max(1) as f64;
        let bids = |spend: &Spend| spend.over() as f64 / spend.bid_max.max(1) as f64;
        let most = |of: &dyn Fn(&Spend) -> f64| audit.spends.iter().map(of).fold(0.0, f64::max);
        let under: Vec<f64> = audit.spends.iter().filter_map(Spend::under).collect();
        let mean = under.iter().sum::<f64>() / under.len().max(1) as f64;
        let found = Found {
            acknowledged: checked(NOTICES),
            charges: checked(TWICE),
            lost,
            double,
            overspent,
            overspend: most(&part),
            overspend_bids: most(&bids),
            other_failures: wrong - lost - double - overspent,
        };
        let under_delivery = (!under.is_empty()).then(|| [mean, under.iter().copied().fold(0.0, f64::max)]);
        let figures = Figures { run: plan.run, fault: plan.fault, outage_s: plan.seconds[1], found, under_delivery };
        let passed = audit.passed();
        Self { figures, passed, plan, exchange, load_average, points: audit.points, spends: audit.spends }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { fault, run, found, .. } = &self.figures;
        let Found { acknowledged, charges, lost, double, overspend, overspend_bids, .. } = found;
        let (name, verdict) = (run_name(*run), if self.passed { "passed" } else { "FAILED" });
        write!(
            f,
            "{name} {}: {verdict}; {acknowledged} notices, {charges} charges; {lost} lost, {double} double; overspent {:.3} % \
             at most, {overspend_bids:.1} bids",
            fault.name(),
            100.0 * overspend
        )?;
        if let Some([mean, most]) = self.figures.under_delivery {
            write!(f, "; under-delivered {:.1} %, {:.1} % at most", 100.0 * mean, 100.0 * most)?;
        }
        for point in self.points.iter().filter(|point| !point.holds()) {
            write!(f, "\n    {}: {} of {} wrong, {:?}", point.name, point.wrong, point.checked, point.named.first())?;
        }
        Ok(())
    }
}

/// What is written of all runs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    planned: u32,
    runs: usize,
    failed: usize,
    #[serde(flatten)]
    found: Found,
    /// By fault: runs, those that failed, the most overspent, and the mean under-delivery.
    faults: BTreeMap<Fault, OfFault>,
}

#[derive(Debug, Default, Serialize)]
struct OfFault {
    runs: usize,
    failed: usize,
    overspend: f64,
    under_delivery: Vec<f64>,
}

/// A report, as far as it is read again.
#[derive(Debug, Deserialize)]
struct Written {
    #[serde(flatten)]
    figures: Figures,
    passed: bool,
}

impl Summary {
    /// Of all reports that are in a folder.
    pub(super) fn of(folder: &Path, planned: u32) -> io::Result<Self> {
        let mut summary = Self { planned, ..Self::default() };
        for file in (1..=planned).map(|run| report_file(folder, run)).filter(|file| file.exists()) {
            summary.add(&serde_json::from_str(&fs::read_to_string(file)?)?);
        }
        Ok(summary)
    }

    fn add(&mut self, Written { figures, passed }: &Written) {
        self.runs += 1;
        self.failed += usize::from(!passed);
        self.found.add(&figures.found);
        let fault = self.faults.entry(figures.fault).or_default();
        fault.runs += 1;
        fault.failed += usize::from(!passed);
        fault.overspend = fault.overspend.max(figures.found.overspend);
        fault.under_delivery.extend(figures.under_delivery.map(|[mean, _]| mean));
    }

    /// Whether all runs were played and held.
    pub(super) fn passed(&self) -> bool {
        self.runs == self.planned as usize && self.failed == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { planned, runs, failed, found, .. } = self;
        let Found { acknowledged, charges, lost, double, overspent, other_failures, .. } = found;
        writeln!(
            f,
            "{runs} of {planned} runs, {failed} failed; {acknowledged} acknowledged notices, {charges} charges"
        )?;
        let (overspend, bids) = (100.0 * found.overspend, found.overspend_bids);
        write!(
            f,
            "{lost} lost, {double} double, {overspent} overspent ({overspend:.3} % of a budget and {bids:.1} bids at most), \
             {other_failures} other failures"
        )?;
        for (fault, OfFault { runs, failed, overspend, under_delivery }) in &self.faults {
            let under = 100.0 * under_delivery.iter().sum::<f64>() / under_delivery.len().max(1) as f64;
            let (name, overspend) = (fault.name(), 100.0 * overspend);
            write!(
                f,
                "\n    {name:<18} {runs:>3} runs, {failed} failed; overspent {overspend:.3} %, under {under:.1} %"
            )?;
        }
        Ok(())
    }
}
