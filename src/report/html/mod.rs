//! A result as a self-contained HTML page, without scripts or other files.
//!
//! The page is well-formed XML, so that a test can parse it. Every drawing is SVG with a title, a description and a
//! table of its figures.

mod account;
mod comparison;
mod curves;
mod hero;
mod kernels;
mod labels;
mod place;
mod plot;
mod roofline;
mod roofs;
mod run;
mod scaling;
mod spread;
mod table;
mod tables;

pub use comparison::comparisons;
pub use scaling::scaling;
pub use tables::tables;

use super::answer::Answer;
use crate::escape;
use crate::report::numbers::minute;
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
/// A missing value is shown as "n/a (reason)"; a section without any value is left out. All text from the result is
/// escaped.
pub fn html(result: &RunResult) -> String {
    let (stamps, adapter) = (result.stamps(), result.environment.adapter.label());
    let title = match stamps.as_slice() {
        [] => format!("gpubench: {adapter}"),
        stamps => format!("{}: gpubench: {adapter}", stamps.join(", ")),
    };
    let sections = sections(result);
    let body = html! {
        (first(result))
        nav aria-label="Contents" {
            ul { @for section in &sections { li { a href={ "#" (section.id) } { (section.title) } } } }
        }
        (body(result, &sections))
        p class="printed note" {
            "The page itself also has tables: load, phases, measured peaks, published figures."
        }
    };
    let footer = format!("gpubench {}, {}", result.environment.tool.version, result.started_utc);
    page(&title, head(result), body, &footer)
}

/// A page that needs nothing else, of its parts.
fn page(title: &str, header: Markup, body: Markup, footer: &str) -> String {
    let page = html! {
        html lang="en" {
            head {
                (PreEscaped(META))
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                div class="report" {
                    header { (header) }
                    main { (body) }
                    footer { p { (footer) } }
                }
            }
        }
    };
    format!("{DOCTYPE}{}\n", escaped(page))
}

/// The facts, plots and tables of the page as a fragment for another page, which needs [`STYLE`]. It has no contents
/// list: its links would take the address of the other page.
pub fn fragment(result: &RunResult) -> String {
    escaped(html! {
        div class="report" {
            (head(result))
            (first(result))
            (body(result, &sections(result)))
        }
    })
}

/// The device, and one line about what it ran on.
fn head(result: &RunResult) -> Markup {
    let answer = Answer::of(result);
    html! {
        p class="tool" { "gpubench " (result.environment.tool.version) " · " (minute(&result.started_utc)) " UTC" }
        h1 { (answer.device) }
        p class="device" {
            @if !answer.driver.is_empty() { (answer.driver) " · " }
            (summary::machine(result))
        }
    }
}

/// What is seen first: the stamps and the figures in large type.
fn first(result: &RunResult) -> Markup {
    html! {
        (hero::banners(result))
        @match sweep::without_training(result) {
            Some(sweep) => (hero::figures_of_sweep(result, sweep)),
            None => (hero::figures(result)),
        }
    }
}

fn body(result: &RunResult, sections: &[Section]) -> Markup {
    let profile = result.profile.reason().filter(|_| sweep::without_training(result).is_none());
    html! {
        @for section in sections {
            section class=(section.id) aria-labelledby=(section.id) {
                h2 id=(section.id) { (section.title) }
                (section.body)
            }
            // Where the sections of a profile would begin.
            @if section.id == "place" && let Some(reason) = profile {
                p class="missing no-profile" { "Time account, kernels and roofline: n/a (" (reason) ")" }
            }
        }
    }
}

/// The page without the control characters that a driver's name may contain: XML forbids them.
fn escaped(markup: Markup) -> String {
    escape::lines(&markup.into_string()).into_owned()
}

/// The sections that have something to show.
fn sections(result: &RunResult) -> Vec<Section> {
    let section = |id, title, body| Some(Section { id, title, body });
    let environment = section("environment", "Environment and settings", run::environment(result));
    let phases = section("phases", "Phases", run::phases(result));
    let swept = |sweep| section("sweep", "Step time against size", curves::sweep(sweep));
    if let Some(sweep) = sweep::without_training(result) {
        return [swept(sweep), phases, environment].into_iter().flatten().collect();
    }
    let profile = result.profile.value();
    let epochs = result.repeats.first().filter(|repeat| !repeat.epochs.is_empty());
    let all = [
        section("place", "Among the published results", place::section(result)),
        profile.and_then(|_| {
            let account = or_missing(&result.account, |account| account::section(result, account));
            section("time-account", "Where the time went", account)
        }),
        profile.and_then(|profile| section("kernels", "Kernels", kernels::section(result, profile))),
        profile.and_then(|profile| section("roofline", "Roofline", roofline::section(profile, &result.peaks))),
        spread::section(result).and_then(|drawings| section("spread", "Repeats and steps", drawings)),
        epochs.and_then(|repeat| section("training", "Training", curves::loss(repeat, result))),
        result
            .parallel
            .value()
            .and_then(|parallel| section("devices", "Several devices", run::parallel(result, parallel))),
        section("load", "Load", run::load(result)).filter(|_| !result.repeats.is_empty()),
        result.sweep.value().and_then(swept),
        result.peaks.value().and_then(|peaks| section("peaks", "Measured peaks", run::peaks(peaks))),
        phases,
        section("published", "Published figures", run::published(result)),
        environment,
    ];
    all.into_iter().flatten().collect()
}

/// The drawing of a value, or why there is none.
fn or_missing<T>(measured: &Measured<T>, draw: impl FnOnce(&T) -> Markup) -> Markup {
    match measured {
        Measured::Value(value) => draw(value),
        Measured::Missing { reason } => html! { p class="missing" { "n/a (" (reason) ")" } },
    }
}
