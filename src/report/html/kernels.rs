//! Kernels as bars, by layer and pass.

use super::plot::percent;
use super::table::{self, Column, number, text, words};
use crate::kernels::{Pass, training_kernel};
use crate::report::kernels::{count, whole};
use crate::report::numbers::{Notes, fixed};
use crate::report::profile::{facts, microseconds};
use crate::result::{Bound, Compiled, KernelTime, Measured, Profile, RunResult};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// A pass as the page shows it: its CSS class, which sets the colour, and its name.
///
/// A kernel that this program does not know, from another version, has no pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct PassStyle {
    pub pass: Option<Pass>,
    pub class: &'static str,
    pub name: &'static str,
}

/// The passes in the order of a step.
const PASSES: [PassStyle; 5] = [
    PassStyle { pass: Some(Pass::Forward), class: "forward", name: "forward" },
    PassStyle { pass: Some(Pass::ForwardBackward), class: "both", name: "forward and backward" },
    PassStyle { pass: Some(Pass::Backward), class: "backward", name: "backward" },
    PassStyle { pass: Some(Pass::Update), class: "update", name: "update" },
    PassStyle { pass: None, class: "other", name: "other" },
];

/// The index in [`PASSES`] of a kernel's pass.
fn pass_index(kernel: &KernelTime) -> usize {
    let pass = training_kernel(&kernel.kernel).map(|row| row.pass);
    PASSES.iter().position(|style| style.pass == pass).unwrap_or(PASSES.len() - 1)
}

pub(super) fn pass_of(kernel: &KernelTime) -> PassStyle {
    PASSES[pass_index(kernel)]
}

/// The passes that the kernels of a profile belong to.
pub(super) fn passes(profile: &Profile) -> impl Iterator<Item = PassStyle> {
    let indices: BTreeSet<usize> = profile.kernels.iter().map(pass_index).collect();
    indices.into_iter().map(|index| PASSES[index])
}

const COLUMNS: [Column; 10] = [
    words("kernel"),
    Column { heading: "number", class: "rank" },
    Column { heading: "time of a step", class: "bars" },
    number("median [us]"),
    number("p95 [us]"),
    number("share %"),
    Column { heading: "roof", class: "bound" },
    number("registers"),
    number("spills"),
    number("occupancy"),
];
/// How many of the last columns are the driver's compiler's, and left out where it says nothing.
const COMPILED: usize = 3;

const CAPTION: &str = "Device time of each kernel in a training step, by layer and pass. The roof above a kernel \
    stands with the share of that peak it reaches.";

/// The kernels of one layer, each with its number among all, the longest being 1.
struct Layer<'a> {
    name: &'a str,
    kernels: Vec<(usize, &'a KernelTime)>,
}

/// Nanoseconds of a step in a kernel's calls of `time` each; `None` where that is not known.
fn step_ns(kernel: &KernelTime, time: &Measured<f64>) -> Option<f64> {
    time.value().map(|ns| ns * f64::from(kernel.calls_per_step)).filter(|ns| ns.is_finite() && *ns >= 0.0)
}

/// Nanoseconds of a step in all of `kernels`.
fn sum_ns<'a>(kernels: impl Iterator<Item = &'a KernelTime>) -> f64 {
    kernels.filter_map(|kernel| step_ns(kernel, &kernel.median_ns)).sum()
}

impl Layer<'_> {
    fn sum_ns(&self) -> f64 {
        sum_ns(self.kernels.iter().map(|(_, kernel)| *kernel))
    }
}

/// Layers in the order of the plan, those it does not know after them; their kernels by pass, the longest first.
fn layers<'a>(result: &'a RunResult, profile: &'a Profile) -> Vec<Layer<'a>> {
    let mut layers: Vec<Layer<'_>> = Vec::new();
    let planned = result.plan.kernels.iter().map(|kernel| kernel.layer.as_str());
    for name in planned.chain(profile.kernels.iter().map(|kernel| kernel.layer.as_str())) {
        if layers.iter().all(|layer| layer.name != name) {
            let kernels = profile.kernels.iter().enumerate().filter(|(_, kernel)| kernel.layer == name);
            let mut kernels: Vec<_> = kernels.map(|(index, kernel)| (index + 1, kernel)).collect();
            kernels.sort_by_key(|(rank, kernel)| (pass_index(kernel), *rank));
            layers.push(Layer { name, kernels });
        }
    }
    layers.retain(|layer| !layer.kernels.is_empty());
    layers
}

/// The bars and how they were measured.
pub(super) fn section(result: &RunResult, profile: &Profile) -> Markup {
    let layers = layers(result, profile);
    let longest = profile.kernels.iter().filter_map(|kernel| step_ns(kernel, &kernel.p95_ns));
    let full_ns = layers.iter().map(|layer| layer.sum_ns()).chain(longest).fold(0.0, f64::max);
    let all_ns: f64 = layers.iter().map(Layer::sum_ns).sum();
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    let is_compiled = profile.kernels.iter().any(|kernel| kernel.compiled.value().is_some());
    let columns = if is_compiled { &COLUMNS[..] } else { &COLUMNS[..COLUMNS.len() - COMPILED] };
    for layer in &layers {
        // A layer of one kernel is that kernel's row.
        let is_alone = layer.kernels.len() == 1;
        if !is_alone {
            rows.push(layer_row(layer, columns, full_ns, all_ns));
        }
        let class = if is_alone { "alone" } else { "" };
        for (rank, kernel) in &layer.kernels {
            let mut cells = cells(*rank, kernel, is_alone, full_ns, &mut notes);
            if is_compiled {
                cells.extend(compiled(kernel, &mut notes));
            }
            rows.push(table::row(class, columns, &cells));
        }
    }
    html! {
        p class="key" {
            @for pass in passes(profile) {
                span { span class={ "swatch " (pass.class) } aria-hidden="true" {} (pass.name) }
            }
            span { span class="swatch whisker" aria-hidden="true" {} "up to the 95th percentile" }
        }
        (table::with_rows(CAPTION, "by-layer", columns, rows))
        (table::notes(&notes))
        (table::behind("How the kernels were measured", &table::facts(facts(profile, result))))
        @for error in &profile.errors { p class="alarm" { (error) } }
    }
}

/// The sum of a layer: its passes side by side.
fn layer_row(layer: &Layer<'_>, columns: &[Column], full_ns: f64, all_ns: f64) -> Markup {
    let mut begin_ns = 0.0;
    let segments = (0..PASSES.len()).map(|pass| {
        let of_pass = layer.kernels.iter().map(|(_, kernel)| *kernel).filter(|kernel| pass_index(kernel) == pass);
        let pass_ns = sum_ns(of_pass);
        begin_ns += pass_ns;
        (PASSES[pass].class, begin_ns - pass_ns, pass_ns)
    });
    let bar = html! {
        svg class="bar" width="100%" height="16" aria-hidden="true" {
            @for (class, begin_ns, pass_ns) in segments.filter(|(_, _, pass_ns)| *pass_ns > 0.0) {
                rect class=(class) x=(percent(begin_ns, full_ns)) y="1" height="14" width=(percent(pass_ns, full_ns)) {}
            }
        }
    };
    let cells = [
        text(layer.name),
        text(""),
        bar,
        text(microseconds(layer.sum_ns())),
        text(""),
        text(fixed(100.0 * layer.sum_ns() / all_ns, 1)),
        text(""),
        text(""),
        text(""),
        text(""),
    ];
    table::row("layer", columns, &cells[..columns.len()])
}

fn cells(rank: usize, kernel: &KernelTime, is_alone: bool, full_ns: f64, notes: &mut Notes) -> Vec<Markup> {
    let median_ns = step_ns(kernel, &kernel.median_ns);
    let bar = html! {
        svg class="bar" width="100%" height="14" aria-hidden="true" {
            @if let Some(median_ns) = median_ns {
                rect class=(pass_of(kernel).class) y="3" height="8" width=(percent(median_ns, full_ns)) {}
                @if let Some(p95_ns) = step_ns(kernel, &kernel.p95_ns) {
                    line class="whisker" x1=(percent(median_ns, full_ns)) x2=(percent(p95_ns, full_ns)) y1="7" y2="7" {}
                }
            }
        }
    };
    let calls = if kernel.calls_per_step == 1 { String::new() } else { format!(" ×{}", kernel.calls_per_step) };
    vec![
        html! { (kernel.kernel) (calls) @if is_alone { " " span class="of-layer" { (kernel.layer) } } },
        text(rank.to_string()),
        bar,
        text(notes.or_mark(&kernel.median_ns, microseconds)),
        text(notes.or_mark(&kernel.p95_ns, microseconds)),
        text(notes.or_mark(&kernel.share_pct, |share| fixed(share, 1))),
        text(roof(kernel, notes)),
    ]
}

/// The cells of the driver's compiler.
fn compiled(kernel: &KernelTime, notes: &mut Notes) -> [Markup; COMPILED] {
    let figures: [fn(&Compiled) -> &Measured<u64>; COMPILED] =
        [|compiled| &compiled.registers, |compiled| &compiled.spills, |compiled| &compiled.occupancy];
    figures.map(|figure| text(notes.or_mark(&kernel.compiled.and_then(|compiled| count(figure(compiled))), whole)))
}

/// The roof above a kernel, and how much of it the kernel reaches.
fn roof(kernel: &KernelTime, notes: &mut Notes) -> String {
    let bound = match &kernel.bound {
        Measured::Value(bound) => *bound,
        Measured::Missing { reason } => return format!("n/a{}", notes.mark(reason)),
    };
    let reached = match bound {
        Bound::Compute => kernel.peak_flop_pct.value(),
        Bound::Memory => kernel.peak_bandwidth_pct.value(),
        Bound::Launch => None,
    };
    match reached.filter(|share| share.is_finite()) {
        Some(share) => format!("{} {} %", bound.word(), fixed(*share, 0)),
        None => bound.word().to_owned(),
    }
}
