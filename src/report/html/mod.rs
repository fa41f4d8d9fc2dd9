//! A result as a self-contained HTML page, without scripts or other files.
//!
//! The page is well-formed XML, so that a test can parse it. Every drawing is SVG with a title, a description and a
//! table of its figures.

mod account;
mod curves;
mod kernels;
mod labels;
mod plot;
mod roofline;
mod run;
mod table;

use crate::escape;
use crate::report::{summary, sweep};
use crate::result::{Measured, RunResult};
use maud::{Markup, PreEscaped, html};

/// The style sheet of the page and of [`fragment`].
pub const STYLE: &str = include_str!("style.css");
/// Text outside the template, which would not write it as XML. The policy forbids the page to load anything, whatever a
/// result contains.
const DOCTYPE: &str = "<!DOCTYPE html>\n";
const META: &str = r#"<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
"#;

/// A section of the page: the anchor and the text of its heading, and its contents.
struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// The result as a page: the facts of [`super::text()`], with plots.
///
/// A missing value is shown as "n/a (reason)". All text from the result is escaped.
pub fn html(result: &RunResult) -> String {
    let (stamps, line) = summary::headline_parts(result);
    let adapter = result.environment.adapter.label();
    let title = match stamps.as_slice() {
        [] => format!("gpubench: {adapter}"),
        stamps => format!("{}: gpubench: {adapter}", stamps.join(", ")),
    };
    let page = html! {
        html lang="en" {
            head {
                (PreEscaped(META))
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p class="tool" { "gpubench " (result.environment.tool.version) " · " (result.started_utc) }
                    h1 {
                        @if !stamps.is_empty() {
                            @for (index, stamp) in stamps.iter().enumerate() {
                                @if index > 0 { ", " }
                                span class="stamp" { (stamp) }
                            }
                            ": "
                        }
                        (line)
                    }
                    p class="adapter" { (adapter) }
                    (table::facts(summary::facts(result)))
                }
                main { (body(result, &stamps)) }
            }
        }
    };
    format!("{DOCTYPE}{}\n", escaped(page))
}

/// The facts, plots and tables of the page as a fragment for another page, which needs [`STYLE`].
pub fn fragment(result: &RunResult) -> String {
    let (stamps, line) = summary::headline_parts(result);
    escaped(html! {
        p class="headline" {
            @for stamp in &stamps { span class="stamp" { (stamp) } " " }
            (line)
        }
        (table::facts(summary::facts(result)))
        (body(result, &stamps))
    })
}

fn body(result: &RunResult, stamps: &[&str]) -> Markup {
    html! {
        @for section in sections(result) {
            section aria-labelledby=(section.id) {
                h2 id=(section.id) {
                    (section.title)
                    @for stamp in stamps { " " span class="stamp" { (stamp) } }
                }
                (section.body)
            }
        }
    }
}

/// The page without the control characters that a driver's name may contain: XML forbids them.
fn escaped(markup: Markup) -> String {
    escape::lines(&markup.into_string()).into_owned()
}

fn sections(result: &RunResult) -> Vec<Section> {
    let section = |id, title, body| Section { id, title, body };
    if let Some(sweep) = sweep::without_training(result) {
        return vec![
            section("sweep", "Step time against size", curves::sweep(sweep)),
            section("phases", "Phases", run::phases(result)),
            section("environment", "Environment and settings", run::environment(result)),
        ];
    }
    let mut sections = vec![
        section(
            "time-account",
            "Where the time went",
            or_missing(&result.account, |account| account::section(result, account)),
        ),
        section("kernels", "Kernels", or_missing(&result.profile, |profile| kernels::section(result, profile))),
        section(
            "roofline",
            "Roofline",
            or_missing(&result.profile, |profile| roofline::section(profile, &result.peaks)),
        ),
        section("training", "Training", curves::loss(result)),
        section("load", "Load", run::load(result)),
        section("sweep", "Step time against size", or_missing(&result.sweep, curves::sweep)),
        section("peaks", "Measured peaks", or_missing(&result.peaks, run::peaks)),
        section("phases", "Phases", run::phases(result)),
        section("published", "Among published results", run::published(result)),
        section("environment", "Environment and settings", run::environment(result)),
    ];
    if let Measured::Value(parallel) = &result.parallel {
        sections.insert(0, section("devices", "Several devices", run::parallel(result, parallel)));
    }
    sections
}

/// The drawing of a value, or why there is none.
fn or_missing<T>(measured: &Measured<T>, draw: impl FnOnce(&T) -> Markup) -> Markup {
    match measured {
        Measured::Value(value) => draw(value),
        Measured::Missing { reason } => html! { p class="missing" { "n/a (" (reason) ")" } },
    }
}
