//! What every figure of the reports means: one table for `gpubench explain` and for the tooltips of the page.
//!
//! `docs/METHOD.md` holds the method in full; an entry says what a reader of one figure needs.

mod compiled;
mod entry;
mod measured;
mod result;
mod run;

pub use entry::Figure;

use super::layout::{facts, joined, paragraph};
use crate::result::PEAK_FACTS;
use std::sync::LazyLock;

/// Names this similar to an unknown one are offered in its place.
///
/// Source: the threshold of clap for misspelt options, which uses the same measure.
pub const LEAST_SIMILARITY: f64 = 0.7;
/// At most so many names are offered.
const MOST_OFFERED: usize = 5;

/// Figures that belong together.
#[derive(Debug, Clone)]
pub struct FigureGroup {
    /// What they are figures of.
    pub title: &'static str,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// Every figure, in the order of a report.
pub fn figure_groups() -> &'static [FigureGroup] {
    static GROUPS: LazyLock<Vec<FigureGroup>> = LazyLock::new(|| {
        let group = |title, figures: &[Figure]| FigureGroup { title, figures: figures.to_vec() };
        vec![
            group("Result", result::RESULT),
            group("Tables with the published results", result::TABLES),
            group("Comparisons and files", result::COMPARISON),
            group("Time account", measured::ACCOUNT),
            group("Profile", measured::PROFILE),
            group("Kernels, and what the driver's compiler makes of them", compiled::COMPILED),
            group("Training", run::TRAINING),
            group("Load and energy", run::LOAD),
            group("Phases of a run", run::PHASES),
            FigureGroup { title: "Peaks", figures: peaks() },
            group("Sweep, soak and several devices", run::SEARCHES),
        ]
    });
    &GROUPS
}

/// The kinds of peaks, whose meanings are part of the table of kinds.
fn peaks() -> Vec<Figure> {
    let kinds = PEAK_FACTS.iter().map(|facts| Figure {
        name: facts.name,
        aliases: &[],
        meaning: facts.sentence,
        measured: "By a kernel or command list that does nothing else, through the API that training uses: the median \
            of pairs of times of n and 2n units of work, with n long enough for the clock.",
        good: match facts.unit {
            crate::result::Unit::Ns => "Lower. It matters where a step is many short kernels.",
            _ => "Higher, within what the device's data sheet promises; far below it, driver or API is in the way.",
        },
    });
    measured::PEAKS.iter().copied().chain(kinds).collect()
}

/// A name as it is compared: units in square brackets, spaces, signs and case make no difference.
fn key(name: &str) -> String {
    let mut key = String::new();
    let mut in_brackets = false;
    for letter in name.chars() {
        match letter {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            letter if (letter.is_alphanumeric() || letter == '_') && !in_brackets => {
                key.push(letter.to_ascii_lowercase())
            }
            _ => {}
        }
    }
    key
}

/// Every name of a figure.
fn names(figure: &Figure) -> impl Iterator<Item = &'static str> {
    [figure.name].into_iter().chain(figure.aliases.iter().copied())
}

fn all() -> impl Iterator<Item = &'static Figure> {
    figure_groups().iter().flat_map(|group| &group.figures)
}

/// The figure called `name`, which may be the heading of a column or a field of the JSON, in any case.
pub fn figure(name: &str) -> Option<&'static Figure> {
    let wanted = key(name);
    let has_name = |figure: &&Figure| names(figure).any(|name| key(name) == wanted);
    all().find(has_name).filter(|_| !wanted.is_empty())
}

/// The names that are most like `name`, the most similar first; all that contain it where it is a part of names.
pub fn nearest_figures(name: &str) -> Vec<&'static str> {
    let wanted = key(name);
    let similarity = |figure: &Figure| {
        let of_name = |name: &str| {
            let key = key(name);
            let is_part = wanted.len() > 2 && key.contains(&wanted);
            strsim::jaro_winkler(&key, &wanted).max(if is_part { 0.95 } else { 0.0 })
        };
        names(figure).map(of_name).fold(0.0, f64::max)
    };
    let mut similar: Vec<(f64, &'static str)> = all().map(|figure| (similarity(figure), figure.name)).collect();
    similar.retain(|(similarity, _)| *similarity >= LEAST_SIMILARITY);
    similar.sort_by(|a, b| b.0.total_cmp(&a.0));
    similar.into_iter().take(MOST_OFFERED).map(|(_, name)| name).collect()
}

/// The explanation of a figure as a tooltip.
pub(super) fn tooltip(figure: &Figure) -> String {
    format!("{} {} Good: {}", figure.meaning, figure.measured, figure.good)
}

/// A figure for a terminal of `width` columns.
pub fn figure_text(figure: &Figure, width: u16) -> String {
    let also = figure.aliases.iter().map(|name| name.replace('\n', " ")).collect::<Vec<_>>().join(", ");
    let rows = [
        ("what", figure.meaning.to_owned()),
        ("measured", figure.measured.to_owned()),
        ("good", figure.good.to_owned()),
        ("also", also),
    ];
    let rows = rows.into_iter().filter(|(_, text)| !text.is_empty());
    joined([figure.name.to_owned(), facts(rows, width)]) + "\n"
}

/// All figures for a terminal of `width` columns, each with the first sentence of its meaning.
pub fn figures_text(width: u16) -> String {
    let groups = figure_groups().iter().map(|group| {
        let rows = group.figures.iter().map(|figure| (figure.name, first_sentence(figure.meaning).to_owned()));
        format!("{}\n\n{}", group.title, facts(rows, width))
    });
    let hint = "gpubench explain FIGURE tells how a figure is measured and which values are good.";
    joined(groups.chain([paragraph(hint, width)])) + "\n"
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_name_means_one_figure() {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for figure in all() {
            for name in names(figure) {
                let other = seen.insert(key(name), figure.name);
                let is_one = other.is_none_or(|other| other == figure.name);
                assert!(is_one, "{name:?} means {other:?} and {:?}", figure.name);
            }
        }
        assert!(seen.len() > 120, "only {} names", seen.len());
    }

    #[test]
    fn entries_are_sentences() {
        for figure in all() {
            for text in [figure.meaning, figure.measured, figure.good] {
                assert!(text.ends_with('.') && text.len() > 5, "{}: {text:?}", figure.name);
                assert!(!text.contains("  "), "{}: {text:?}", figure.name);
                assert!(!text.starts_with(|letter: char| letter.is_lowercase()), "{}: {text:?}", figure.name);
            }
        }
    }

    #[test]
    fn names_are_found_as_they_are_shown_and_typed() {
        for (name, found) in [
            ("images/s", "images/s"),
            ("IMAGES/S", "images/s"),
            ("time\n[s]", "time"),
            ("GFLOP\n/s", "GFLOP/s"),
            ("% of\npeak", "share of peak"),
            ("train_mad_s", "spread"),
            ("FP32 multiply-add", "FP32 multiply-add"),
        ] {
            assert_eq!(figure(name).map(|figure| figure.name), Some(found), "{name:?}");
        }
        assert_eq!((figure(""), figure("[s]"), figure("flux")), (None, None, None));
    }

    #[test]
    fn a_misspelt_name_gives_the_nearest_ones() {
        assert_eq!(nearest_figures("imagess")[0], "images/s");
        assert_eq!(nearest_figures("verdikt")[0], "verdict");
        assert!(nearest_figures("energy").contains(&"net energy"), "{:?}", nearest_figures("energy"));
        assert!(nearest_figures("xyzzy").is_empty(), "{:?}", nearest_figures("xyzzy"));
    }
}
