//! The report as a page that needs nothing else: figures, and plots as SVG.

use std::fmt::Write;

use super::report::Report;
use crate::load::Tally;

/// The size of a plot, and of the room around it for its scales.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const BELOW: f64 = 34.0;
/// Colours of lines, in order.
const COLOURS: [&str; 4] = ["#2563eb", "#d97706", "#dc2626", "#059669"];

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1f2937;max-width:940px;margin:2.5rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.05rem;margin:2.2rem 0 .4rem}p{margin:.3rem 0;color:#4b5563}
table{border-collapse:collapse;margin-top:1rem;width:100%}td{padding:.22rem .6rem;border-bottom:1px solid #e5e7eb}
th{font-weight:600;text-align:right;padding:.22rem .6rem;vertical-align:bottom}.stages td,td:nth-child(even){text-align:right;font-variant-numeric:tabular-nums}svg{display:block;width:100%;height:auto}
text{font-size:11px;fill:#6b7280}.legend span{margin-right:1.2rem}.legend i{display:inline-block;width:.9rem;height:.2rem;
margin-right:.35rem;vertical-align:middle}";

/// What a plot has across.
#[derive(Clone, Copy)]
enum Across {
    Seconds,
    /// Shares of answers: 90 % at 1, 99 % at 2, and so on.
    Nines,
}

impl Across {
    /// Where the scale has its marks, and what they say.
    fn marks(self, most: f64) -> Vec<(f64, String)> {
        let step = match self {
            Self::Seconds => nice(most / 6.0).max(1.0),
            Self::Nines => 1.0,
        };
        let marks = (0..=(most / step) as u32).map(|number| step * f64::from(number));
        let say = |mark: f64| match self {
            Self::Seconds => format!("{mark:.0} s"),
            Self::Nines => format!("{:.*} %", (mark as usize).saturating_sub(2), 100.0 * (1.0 - 0.1_f64.powf(mark))),
        };
        marks.map(|mark| (mark, say(mark))).collect()
    }
}

/// One line of a plot: its name and its points.
struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// The whole page.
pub(super) fn html(report: &Report, tally: &Tally) -> String {
    let line = |name, of: &dyn Fn(&super::report::Second) -> f64| Line {
        name,
        points: report.seconds.iter().enumerate().map(|(at, second)| (at as f64, of(second))).collect(),
    };
    let rates = [
        line("due", &|second| second.due as f64),
        line("answered", &|second| second.answered as f64),
        line("bids in time", &|second| second.good as f64),
        line("late", &|second| second.late as f64),
    ];
    let times = [line("p50", &|second| second.p50_ms), line("p99", &|second| second.p99_ms)];
    // Shares on a scale of nines: 90 % is at 1, 99 % at 2, and so on.
    let nines = |curve: Vec<(f64, f64)>| {
        curve.into_iter().filter(|(share, _)| *share < 1.0).map(|(share, ms)| (-(1.0 - share).log10(), ms))
    };
    let curves = [
        Line { name: "from when a request was due", points: nines(tally.from_due.curve()).collect() },
        Line { name: "from when it was sent", points: nines(tally.from_sent.curve()).collect() },
    ];
    let sampled = |name, of: &dyn Fn(&super::Sample) -> f64| Line {
        name,
        points: report.samples.iter().map(|sample| (sample.at, of(sample))).collect(),
    };
    let memory = [sampled("MiB", &|sample| sample.usage.memory as f64 / f64::from(1 << 20))];
    let cores = |pair: &[super::Sample]| {
        let used = pair[1].usage.since(&pair[0].usage).cpu_ns() as f64 / 1e9;
        (pair[1].at, used / (pair[1].at - pair[0].at))
    };
    let cores = [Line { name: "cores", points: report.samples.windows(2).map(cores).collect() }];
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1><p>{1}</p>",
        escaped(&report.name),
        escaped(&report.scenario.title)
    );
    page.push_str(&stages(report));
    page.push_str(&figures(report));
    let plots = [
        ("Requests a second", plot(&rates, "", Across::Seconds)),
        ("Milliseconds from when a request was due to its answer, by second", plot(&times, " ms", Across::Seconds)),
        ("Milliseconds by the share of answers that took no longer", plot(&curves, " ms", Across::Nines)),
        ("Memory of the bidder", plot(&memory, " MiB", Across::Seconds)),
        ("Processors that the bidder keeps busy", plot(&cores, "", Across::Seconds)),
    ];
    for (title, plot) in plots {
        if let Some(plot) = plot {
            let _infallible = write!(page, "<h2>{title}</h2>{plot}");
        }
    }
    page
}

/// What each rate made of it.
fn stages(report: &Report) -> String {
    let head = [
        "due a second",
        "for",
        "bids a second",
        "without bid",
        "late",
        "not sent",
        "p50",
        "p99",
        "processors",
        "memory",
    ];
    let head = head.map(|name| format!("<th>{name}")).concat();
    let rows = report.stages.iter().map(|row| {
        let share = |share: f64| format!("{:.2} %", 100.0 * share);
        let cells = [
            row.rate.to_string(),
            format!("{} s", row.seconds),
            format!("{:.0}", row.good),
            format!("{:.0}", row.empty),
            share(row.late_share),
            share(row.unsent_share),
            format!("{:.1} ms", row.p50_ms),
            format!("{:.1} ms", row.p99_ms),
            format!("{:.2}", row.cores),
            format!("{:.0} MiB", row.memory_mib),
        ];
        format!("<tr>{}", cells.map(|cell| format!("<td>{cell}")).concat())
    });
    format!("<table class=stages><tr>{head}{}</table>", rows.collect::<String>())
}

fn figures(report: &Report) -> String {
    let cells: Vec<String> = report
        .figures
        .iter()
        .map(|(name, value)| {
            let digits = if value.fract() == 0.0 { 0 } else { 2 };
            format!("<td>{}<td>{value:.digits$}", escaped(name))
        })
        .collect();
    let rows = cells.chunks(2).map(|pair| format!("<tr>{}", pair.concat()));
    format!("<table>{}</table>", rows.collect::<String>())
}

/// Lines over one scale; `None` where there is nothing to draw.
fn plot(lines: &[Line], unit: &str, scale: Across) -> Option<String> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(0.0, f64::max);
    let (across, up) = (most(|point| point.0), nice(most(|point| point.1)));
    if across <= 0.0 || up <= 0.0 {
        return None;
    }
    let (width, height) = (WIDTH - LEFT, HEIGHT - BELOW);
    let x = |value: f64| LEFT + value / across * width;
    let y = |value: f64| 8.0 + (1.0 - value / up) * (height - 8.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img>");
    for part in 0..=4 {
        let value = up * f64::from(part) / 4.0;
        let (at, label) = (y(value), short(value));
        let _infallible = write!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{WIDTH}\" stroke=\"#e5e7eb\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=end>{label}{unit}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (mark, label) in scale.marks(across) {
        let anchor = if x(mark) > WIDTH - 20.0 { "end" } else { "middle" };
        let _infallible =
            write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor={anchor}>{label}</text>", x(mark), height + 18.0);
    }
    for (line, colour) in lines.iter().zip(COLOURS) {
        let points: String =
            line.points.iter().map(|(across, up)| format!("{:.1},{:.1} ", x(*across), y(*up))).collect();
        let _infallible =
            write!(svg, "<polyline points=\"{points}\" fill=none stroke=\"{colour}\" stroke-width=1.6 />");
    }
    let legend = lines
        .iter()
        .zip(COLOURS)
        .map(|(line, colour)| format!("<span><i style=\"background:{colour}\"></i>{}</span>", line.name));
    Some(format!("{svg}</svg><p class=legend>{}</p>", legend.collect::<String>()))
}

/// The next number of one digit, 1, 2 or 5, and zeros.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let ten = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * ten).find(|nice| *nice >= value).unwrap_or(10.0 * ten)
}

fn short(value: f64) -> String {
    if value >= 10.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        let said = |scale: Across, most| scale.marks(most).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(said(Across::Nines, 3.5), ["0 %", "90 %", "99 %", "99.9 %"]);
        assert_eq!(said(Across::Seconds, 9.0), ["0 s", "2 s", "4 s", "6 s", "8 s"]);
        assert_eq!(said(Across::Seconds, 1_800.0), ["0 s", "500 s", "1000 s", "1500 s"]);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        let cases = [(0.0, 0.0), (0.07, 0.1), (1.0, 1.0), (3.0, 5.0), (230.0, 500.0), (6_000.0, 10_000.0)];
        for (value, expected) in cases {
            assert!((nice(value) - expected).abs() < 1e-9, "{value}: {}", nice(value));
        }
    }

    #[test]
    fn a_plot_has_every_line_within_its_frame() {
        let line = Line { name: "one", points: (0..50).map(|at| (f64::from(at), f64::from(at * at))).collect() };
        let svg = plot(&[line], "", Across::Seconds).unwrap();
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let numbers: Vec<f64> = points.split([',', ' ']).filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.chunks(2).all(|point| point[0] <= WIDTH && (0.0..HEIGHT).contains(&point[1])));
        assert!(plot(&[], "", Across::Seconds).is_none());
    }
}
