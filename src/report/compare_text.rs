//! A comparison as text for a terminal and as Markdown.

use super::compare::{ComparedFigure, ResultComparison, compare, timed_steps_s};
use super::differences::Role;
use super::layout::{Facts, facts, joined, notes, shortened};
use super::numbers::{Notes, fixed, or_reason, ratio, three_digits};
use super::published::tool;
use super::summary;
use crate::escape;
use crate::result::{Interval, Measured, RunResult, Turns, TurnsEnd};
use crate::turns::LOOKS;
use std::fmt::Write;

/// Cells of a row: name, both times, ratio, its interval, verdict.
type Cells = [String; 6];

const HEADINGS: [&str; 6] = ["", "first", "second", "ratio", "interval", "verdict"];

/// The comparison of `second` with `first` for a terminal of `width` columns.
pub fn compare_text(first: &RunResult, second: &RunResult, width: u16) -> String {
    compare(first, second).text(width)
}

impl ResultComparison<'_> {
    /// The comparison for a terminal of `width` columns.
    pub fn text(&self, width: u16) -> String {
        let mut marks = Notes::default();
        let table = |marks: &mut Notes, figures: &mut dyn Iterator<Item = &ComparedFigure>, unit: &str, us: f64| {
            let unit = ["", &format!("[{unit}]"), &format!("[{unit}]"), "", "", ""].map(str::to_owned);
            let mut rows = vec![HEADINGS.map(str::to_owned), unit];
            rows.extend(figures.map(|figure| cells(figure, us, marks)));
            grid(&rows, usize::from(width))
        };
        let times = table(&mut marks, &mut self.steps.iter().chain(&self.kernels), "us", 1.0);
        let phases = match self.phases.is_empty() {
            true => String::new(),
            false => table(&mut marks, &mut self.phases.iter(), "s", 1e6),
        };
        joined([facts(self.about(), width), times, phases, notes(&marks, width)]) + "\n"
    }

    /// The comparison as Markdown.
    pub fn markdown(&self) -> String {
        let mut marks = Notes::default();
        let mut page = String::new();
        let escaped = |text: &str| escape::line(text).replace('|', "\\|").replace('<', "&lt;");
        for (name, text) in self.about() {
            let name = if name.is_empty() { String::new() } else { format!("**{name}**: ") };
            let _ = writeln!(page, "- {name}{}", escaped(&text));
        }
        let figures = [(&self.steps, "us", 1.0), (&self.kernels, "us", 1.0), (&self.phases, "s", 1e6)];
        for (figures, unit, us) in figures.into_iter().filter(|(figures, ..)| !figures.is_empty()) {
            let line = |cells: &Cells| format!("| {} |\n", cells.clone().map(|cell| escaped(&cell)).join(" | "));
            let mut headings = HEADINGS.map(str::to_owned);
            headings[1..=2].iter_mut().for_each(|heading| *heading += &format!(" [{unit}]"));
            page += &format!("\n{}|---|--:|--:|--:|--:|---|\n", line(&headings));
            figures.iter().for_each(|figure| page += &line(&cells(figure, us, &mut marks)));
        }
        page += "\n";
        marks.iter().for_each(|(mark, text)| page += &format!("{mark} {}\\\n", escaped(text)));
        page.trim_end().trim_end_matches('\\').to_owned() + "\n"
    }

    /// What is compared, the verdict on the timed step, and what differs.
    pub(super) fn about(&self) -> Facts {
        let [first, second] = &self.sides;
        let [first_interval, second_interval] = &self.intervals;
        let mut about: Facts = vec![
            ("first", describe(first)),
            ("", trainings(first, first_interval)),
            ("second", describe(second)),
            ("", trainings(second, second_interval)),
        ];
        about.extend(self.steps.first().map(|step| ("verdict", verdict(step))));
        let kernel = self.kernels.iter().find_map(|kernel| kernel.judged.value()?.estimate.test);
        if let (Some(test), true) = (kernel, first.len().min(second.len()) < crate::verdict::MIN_SAMPLES) {
            let pct = fixed(100.0 * test.confidence, 1);
            about.push(("kernels", format!(
                "medians of blocks of successive steps, {pct} % intervals; of these processes alone: the next may differ"
            )));
        }
        if let Some([first, second]) = self.turns() {
            about.push(("turns", turns(first, second)));
        }
        about.extend(self.differences.iter().map(|difference| match difference.role {
            Role::Step | Role::Work => ("DIFFERENT WORK", difference.words()),
            Role::Circumstance => ("differs", difference.words()),
        }));
        about
    }
}

fn describe(runs: &[&RunResult]) -> String {
    let Some(result) = runs.first() else { return "no run".to_owned() };
    let adapter = &result.environment.adapter;
    let more = match runs.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let line = summary::headline_line(result);
    let tool = result.tool.as_ref().map_or_else(String::new, |_| format!("{} on ", tool(result)));
    format!("{tool}{}, {}, {}{more}; {line}", adapter.label(), adapter.backend, result.started_utc)
}

fn trainings(runs: &[&RunResult], interval: &Measured<Interval>) -> String {
    let us = |seconds: f64| three_digits(1e6 * seconds);
    let trainings = match runs.iter().map(|run| timed_steps_s(run).len()).sum() {
        1 => "1 training".to_owned(),
        count => format!("{count} trainings"),
    };
    let interval = or_reason(interval, |interval| {
        format!("{} % interval {} to {} us", fixed(interval.confidence_pct, 0), us(interval.low_s), us(interval.high_s))
    });
    format!("step, timed: median of {trainings}, {interval}")
}

/// How two sides took turns, and how that ended.
fn turns(first: &Turns, second: &Turns) -> String {
    let rounds = first.order.len() / 2;
    let looks: Vec<String> = LOOKS.iter().filter(|look| **look <= rounds).map(usize::to_string).collect();
    let looked = if looks.is_empty() { String::new() } else { format!(", looked at after {}", looks.join(", ")) };
    let ended = match first.ended {
        TurnsEnd::Verdict => "ended with the verdict",
        TurnsEnd::MaxTime => "ended as --max-time was over",
        TurnsEnd::MostRounds => "no more rounds are ever made",
        TurnsEnd::Unfinished => "not at their end",
    };
    format!(
        "{rounds} rounds of {} {} and {}, in an order drawn by lot{looked}; {ended}",
        first.option, first.value, second.value
    )
}

/// "slower: 1.050 times as long, ..." for a figure.
fn verdict(figure: &ComparedFigure) -> String {
    or_reason(&figure.judged, |judged| {
        let interval = judged.estimate.test.map_or_else(String::new, |test| {
            let [low, high] = [test.low, test.high].map(|end| fixed(end, 3));
            let [p, corrected] = [test.p, judged.p_corrected].map(probability);
            let pct = fixed(100.0 * test.confidence, 1);
            format!(" ({low} to {high} with {pct} % confidence, p {p}, {corrected} corrected)")
        });
        let times = fixed(judged.estimate.ratio, 3);
        format!("{}: {}, {times} times as long{interval}; {}", figure.name, judged.verdict.word(), judged.reason)
    })
}

/// A probability with about two digits.
fn probability(p: f64) -> String {
    if p < 0.001 { format!("{p:.0e}") } else { format!("{p:.2}").replace("0.00", "below 0.01") }
}

/// A ratio with three decimals, or three digits from 10 on.
pub(super) fn ratio_text(value: f64) -> String {
    if value < 9.9995 { fixed(value, 3) } else { ratio(value) }
}

/// The row of a figure, whose times are divided by `us`.
fn cells(figure: &ComparedFigure, us: f64, notes: &mut Notes) -> Cells {
    let time = |value: f64| three_digits(value / us);
    let estimate = figure.judged.value().map(|judged| judged.estimate);
    let times = estimate.map_or_else(|| figure.ratio(), |estimate| estimate.ratio.into());
    let remark = figure.remark.as_ref().filter(|_| times.value().is_some());
    let mark = remark.map_or_else(String::new, |remark| notes.mark(remark));
    let interval = estimate.and_then(|estimate| estimate.test);
    [
        figure.name.clone(),
        notes.or_mark(&figure.first_us, time),
        notes.or_mark(&figure.second_us, time),
        notes.or_mark(&times, ratio_text) + &mark,
        interval.map_or_else(String::new, |test| format!("{}–{}", ratio_text(test.low), ratio_text(test.high))),
        figure
            .judged
            .value()
            .map_or_else(String::new, |judged| judged.verdict.word().to_owned() + &notes.mark(&judged.reason)),
    ]
}

/// Rows in columns, the two of the heading first: numbers to the right. A name that is too long has a line of its own,
/// so that neither it nor a number is split.
fn grid(rows: &[Cells], width: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escape::line(cell).into_owned()).collect()).collect();
    let longest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (1..6).map(longest).collect();
    let rest = |gap: usize| widths.iter().map(|width| width + gap).sum::<usize>();
    let gap = if longest(0) + rest(2) <= width { 2 } else { 1 };
    let rest = rest(gap);
    let first = longest(0).min(width.saturating_sub(rest));
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let name = shortened(&row[0], width.try_into().unwrap_or(u16::MAX));
        let long = name.chars().count() > first;
        let mut line = if long { " ".repeat(first) } else { format!("{name:first$}") };
        for (column, width) in widths.iter().enumerate() {
            let cell = &row[column + 1];
            let _ = match column {
                4 => write!(line, "{:gap$}{cell:width$}", ""),
                _ => write!(line, "{:gap$}{cell:>width$}", ""),
            };
        }
        lines.extend(long.then_some(name));
        lines.push(line.trim_end().to_owned());
        if index == 1 {
            lines.push("─".repeat(first + rest));
        }
    }
    lines.join("\n")
}
