//! The time account as one stacked bar.

use super::super::numbers::{finite, fixed, three_digits};
use super::plot::percent;
use super::table::{self, Column, number, text, words};
use crate::result::{Account, HostTimes, Measured};
use maud::{Markup, html};

/// Segments at least this wide, in per cent, carry their share.
const LABELLED_FROM_PCT: f64 = 12.0;
/// Classes of the parts, in the order of [`Account::parts`]; they are colours.
const CLASSES: [&str; 6] = ["kernels", "gaps", "encode", "transfer", "host", "rest"];
const COLUMNS: [Column; 3] = [words("part"), number("seconds"), number("% of the wall")];
const HOST_COLUMNS: [Column; 2] = [words("the host"), number("seconds")];

/// The verdict, the bar, its legend, and what the host did meanwhile.
pub(super) fn section(account: &Account) -> Markup {
    let parts = account.parts();
    let share = |seconds: f64| 100.0 * seconds / account.wall_s;
    let rows: Vec<Vec<Markup>> = parts
        .iter()
        .zip(CLASSES)
        .map(|((name, seconds), class)| {
            let name = html! { span class={ "swatch " (class) } aria-hidden="true" {} (name) };
            vec![name, text(three_digits(*seconds)), text(fixed(share(*seconds), 1))]
        })
        .collect();
    html! {
        p class="verdict" { (account.verdict.words) }
        (bar(account))
        (table::table(
            &format!("{} s of one timed training, {} steps", three_digits(account.wall_s), account.steps),
            "plain legend", &COLUMNS, &rows,
        ))
        @if parts.iter().any(|(_, seconds)| *seconds < 0.0) {
            p class="note" {
                "A negative part means that kernels overlapped, or that more was explained than there was; the bar leaves it out."
            }
        }
        @if let Some(factor) = account.device_time_factor.value() {
            p class="note" { "Device times: " (super::super::account::device_times(*factor)) "." }
        }
        (table::behind(
            "What the host did in all, hidden behind the device or not",
            &table::table("Seconds of the host", "plain", &HOST_COLUMNS, &host(&account.host)),
        ))
    }
}

/// The parts above 0 side by side, in percentages of their sum, so that words inside are never distorted.
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
        svg class="stack" width="100%" height="44" role="img" aria-labelledby="account-title account-desc" {
            title id="account-title" { "Time account" }
            desc id="account-desc" { (words.join(", ")) }
            @for (class, begin, part) in segments.iter().filter(|(_, _, part)| *part > 0.0) {
                rect class=(class) x=(percent(*begin, sum)) y="0" width=(percent(*part, sum)) height="44" {}
                @if 100.0 * part / sum >= LABELLED_FROM_PCT {
                    text class={ "on-" (class) } x=(percent(begin + part / 2.0, sum)) y="27" text-anchor="middle" {
                        (fixed(100.0 * part / account.wall_s, 0)) " %"
                    }
                }
            }
        }
    }
}

fn host(host: &HostTimes) -> Vec<Vec<Markup>> {
    [
        ("making buffers and bindings", host.prepare_s),
        ("copying data to the device", host.upload_s),
        ("drawing the order of each epoch", host.shuffle_s),
        ("encoding commands", host.encode_s),
        ("handing commands over", host.submit_s),
        ("blocked until commands were done", host.wait_s),
        ("reading results back", host.readback_s),
        ("everything else", host.other_s),
    ]
    .into_iter()
    .map(|(name, seconds)| vec![text(name), text(finite(&Measured::Value(seconds), three_digits))])
    .collect()
}
