//! The time account as one stacked bar.

use super::plot::percent;
use super::table::{self, Column, number, text, words};
use crate::report::account::{device_times, host_times, verdict_words};
use crate::report::layout;
use crate::report::numbers::{finite, fixed, three_digits};
use crate::result::{Account, Measured, RunResult};
use maud::{Markup, html};

/// Segments at least this wide, in percent, are labelled with their share.
const LABELLED_FROM_PCT: f64 = 12.0;
/// CSS classes of the parts, which set their colours, in the order of [`Account::parts`].
const CLASSES: [&str; 6] = ["kernels", "gaps", "encode", "transfer", "host", "rest"];
const COLUMNS: [Column; 3] = [words("part"), number("seconds"), number("% of the wall")];

/// The verdict, the bar, its legend, and the times of the host.
pub(super) fn section(result: &RunResult, account: &Account) -> Markup {
    let parts = account.parts();
    let share = |seconds: f64| 100.0 * seconds / account.wall_s;
    let rows = parts.iter().zip(CLASSES).map(|((name, seconds), class)| {
        let name = html! { span class={ "swatch " (class) } aria-hidden="true" {} (table::explained(name, name)) };
        table::row("", &COLUMNS, &[name, text(three_digits(*seconds)), text(fixed(share(*seconds), 1))])
    });
    html! {
        p class="verdict" { (verdict_words(result, account)) }
        (bar(account))
        div class="tables" {
            div {
                (table::with_rows(
                    &format!("{} s of one timed training, {} steps", three_digits(account.wall_s), account.steps),
                    "plain legend", &COLUMNS, rows,
                ))
            }
            div { (table::of(&host(account), "What the host did meanwhile", "plain")) }
        }
        @if parts.iter().any(|(_, seconds)| *seconds < 0.0) {
            p class="note" {
                "A negative part means that kernels overlapped, or that the parts exceed the whole; the bar omits it."
            }
        }
        @if let Some(words) = device_times(account) { p class="note" { "Device times: " (words) "." } }
    }
}

/// The parts above 0 side by side. Lengths are percentages of their sum, so that scaling does not distort the labels.
fn bar(account: &Account) -> Markup {
    let parts = account.parts().map(|(_, seconds)| if seconds.is_finite() { seconds.max(0.0) } else { 0.0 });
    let sum: f64 = parts.iter().sum();
    if sum <= 0.0 || !sum.is_finite() {
        return html! { p class="missing" { "n/a (no part of the account is above 0)" } };
    }
    let words: Vec<String> =
        account.parts().iter().map(|(name, s)| format!("{name} {} %", fixed(100.0 * s / account.wall_s, 1))).collect();
    let mut before = 0.0;
    let segments: Vec<(&str, f64, f64)> = CLASSES
        .into_iter()
        .zip(parts)
        .map(|(class, part)| {
            before += part;
            (class, before - part, part)
        })
        .collect();
    html! {
        svg class="stack" width="100%" height="56" role="img" aria-labelledby="account-title account-desc" {
            title id="account-title" { "Time account" }
            desc id="account-desc" { (words.join(", ")) }
            @for (class, begin, part) in segments.iter().filter(|(_, _, part)| *part > 0.0) {
                rect class=(class) x=(percent(*begin, sum)) y="0" width=(percent(*part, sum)) height="56" {}
                @if 100.0 * part / sum >= LABELLED_FROM_PCT {
                    text class={ "on-" (class) } x=(percent(begin + part / 2.0, sum)) y="33" text-anchor="middle" {
                        (fixed(100.0 * part / account.wall_s, 0)) " %"
                    }
                }
            }
        }
    }
}

fn host(account: &Account) -> layout::Table {
    let seconds = |seconds: f64| finite(&Measured::Value(seconds), three_digits);
    layout::Table::of(&["the host", "seconds"], 1, host_times(account), |(name, time_s), _| {
        vec![name.to_owned(), seconds(time_s)]
    })
}
