//! Two results side by side: native against browser, one driver against another, one card against another, one commit
//! against the next.

use super::differences::{Difference, Role, differences};
use crate::result::{Interval, KernelTime, Measured, Phases, Profile, RunResult, Turns};
use crate::stats;
use crate::turns;
use crate::verdict::{self, Estimate, Sampled, Verdict};

/// The most samples of a figure on each side; more are taken together in blocks.
const MOST_SAMPLES: usize = 50;
/// Blocks of successive profiled steps, of each profile of a kernel.
const KERNEL_BLOCKS: usize = 10;

/// The verdict on a figure of two results.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The ratio with its interval.
    pub estimate: Estimate,
    /// The p value corrected for the number of figures; 1 without an interval.
    pub p_corrected: f64,
    /// Which is faster, if the samples show it.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
}

/// One figure of two results.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedFigure {
    /// What it is: "step, timed", or a kernel and its layer.
    pub name: String,
    /// Of the first result, in microseconds.
    pub first_us: Measured<f64>,
    /// Of the second.
    pub second_us: Measured<f64>,
    /// The samples of the first and of the second, in microseconds.
    pub samples: [Vec<f64>; 2],
    /// Why the two cannot be divided, if so.
    pub obstacle: Option<String>,
    /// What else than the devices may explain their ratio, if anything.
    pub remark: Option<String>,
    /// The verdict; missing where the two cannot be divided.
    pub judged: Measured<Judged>,
}

impl ComparedFigure {
    /// The second time divided by the first.
    pub fn ratio(&self) -> Measured<f64> {
        match (&self.first_us, &self.second_us, &self.obstacle) {
            (Measured::Missing { reason }, ..) | (_, Measured::Missing { reason }, _) => {
                Measured::missing(reason.clone())
            }
            (.., Some(obstacle)) => Measured::missing(obstacle.clone()),
            (Measured::Value(first), Measured::Value(second), None) => (second / first).into(),
        }
    }
}

/// Two results, or two sets of runs of the same kind, figure by figure.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultComparison<'a> {
    /// The runs of both.
    pub sides: [Vec<&'a RunResult>; 2],
    /// Whole steps.
    pub steps: Vec<ComparedFigure>,
    /// Kernels, in the order of the first result's profile, then those that only the second has.
    pub kernels: Vec<ComparedFigure>,
    /// Phases of a run that both have.
    pub phases: Vec<ComparedFigure>,
    /// The intervals of the first figure of `steps`: seconds of a step over all trainings of each result.
    pub intervals: [Measured<Interval>; 2],
    /// All that differs between the two besides their figures.
    pub differences: Vec<Difference>,
    /// How far from 1 a ratio of equal times may be.
    pub margin: f64,
}

impl<'a> ResultComparison<'a> {
    /// The turns that both sides took, if one `gpubench ab` made them: of the first side, and of the second.
    pub fn turns(&self) -> Option<[&'a Turns; 2]> {
        turns_of(&self.sides)
    }

    /// What the two did differently, if they did different work.
    pub fn other_work(&self) -> Option<String> {
        different(&self.differences, &[Role::Step, Role::Work])
    }
}

/// A figure of one side: its value and the samples that a verdict rests on, in microseconds.
pub(super) struct Timed {
    value: Measured<f64>,
    pub(super) samples: Vec<f64>,
}

impl Timed {
    /// A figure that a run has once.
    fn once(value: Measured<f64>) -> Self {
        let samples = Vec::from_iter(value.value().copied());
        Self { value, samples }
    }

    /// The median of `samples`; missing for `reason`.
    fn median(samples: Vec<f64>, reason: &str) -> Self {
        Self { value: Measured::or_missing(stats::median(&samples), reason), samples }
    }

    /// The figure of several runs. From [`verdict::MIN_SAMPLES`] on each counts as one sample: what one process
    /// measures is more alike than what several do.
    fn of(runs: &[&RunResult], of: &dyn Fn(&RunResult) -> Self) -> Self {
        let mut each: Vec<Self> = runs.iter().map(|run| of(run)).collect();
        let mut timed = match each.len() {
            0 | 1 => each.pop().unwrap_or_else(|| Self::once(Measured::missing("there is no run"))),
            _ => {
                let medians: Vec<f64> = each.iter().filter_map(|timed| timed.value.value().copied()).collect();
                let value = Measured::or_missing(stats::median(&medians), each[0].value.reason().unwrap_or_default());
                let many = medians.len() >= verdict::MIN_SAMPLES;
                let all = each.into_iter().flat_map(|timed| timed.samples);
                Self { value, samples: if many { medians } else { all.collect() } }
            }
        };
        timed.samples = verdict::blocks(&timed.samples, MOST_SAMPLES);
        timed
    }
}

/// The turns of two sides that took them with each other.
fn turns_of<'a>(sides: &[Vec<&'a RunResult>; 2]) -> Option<[&'a Turns; 2]> {
    let [[first], [second]] = sides.each_ref().map(Vec::as_slice) else { return None };
    let [first, second] = [first.turns.value()?, second.turns.value()?];
    (first.pair == second.pair && first.side != second.side).then_some([first, second])
}

/// A figure before its verdict, which depends on how many there are.
struct Open {
    figure: ComparedFigure,
    estimate: Option<Estimate>,
    sampled: Sampled,
}

fn different(differences: &[Difference], roles: &[Role]) -> Option<String> {
    let found = differences.iter().filter(|difference| roles.contains(&difference.role));
    let found: Vec<String> = found.map(Difference::words).collect();
    (!found.is_empty()).then(|| format!("different work: {}", found.join("; ")))
}

/// Compares `second` with `first`.
pub fn compare<'a>(first: &'a RunResult, second: &'a RunResult) -> ResultComparison<'a> {
    compare_runs(vec![first], vec![second], verdict::DEFAULT_MARGIN)
}

/// Compares the runs `second`, which differ in nothing that matters, with the runs `first`; ratios within `margin` of
/// 1 are the same time.
pub fn compare_runs<'a>(first: Vec<&'a RunResult>, second: Vec<&'a RunResult>, margin: f64) -> ResultComparison<'a> {
    let differences = match (first.first(), second.first()) {
        (Some(first), Some(second)) => differences(first, second),
        _ => Vec::new(),
    };
    let sides = [first, second];
    let in_turns = turns_of(&sides).is_some();
    let obstacle = different(&differences, &[Role::Step]);
    let remark = different(&differences, &[Role::Work]);
    let open = |name: &str, sampled: Sampled, remark: Option<&String>, of: &dyn Fn(&RunResult) -> Timed| {
        // In turns, training n of one belongs to training n of the other.
        let sampled = if in_turns && sampled == Sampled::Trainings { Sampled::Rounds } else { sampled };
        let timed = |runs: &Vec<&RunResult>| if in_turns { of(runs[0]) } else { Timed::of(runs, of) };
        let [first, second] = sides.each_ref().map(timed);
        let estimate = match sampled {
            Sampled::Rounds => turns::estimate(&first.samples, &second.samples),
            Sampled::Trainings | Sampled::Runs => verdict::estimate(&first.samples, &second.samples),
        };
        let figure = ComparedFigure {
            name: name.to_owned(),
            first_us: first.value,
            second_us: second.value,
            samples: [first.samples, second.samples],
            obstacle: obstacle.clone(),
            remark: remark.cloned(),
            judged: Measured::missing("it is not judged yet"),
        };
        Open { figure, estimate, sampled }
    };
    let mut steps = vec![
        open("step, timed", Sampled::Trainings, remark.as_ref(), &|run| {
            Timed::median(timed_steps_s(run).iter().map(|seconds| 1e6 * seconds).collect(), "no step was timed")
        }),
        open("step on the device, undisturbed", Sampled::Runs, None, &|run| {
            Timed::once(profiled(run, |profile| profile.undisturbed_step_ns.clone().map(|ns| ns / 1e3)))
        }),
        open("step, sum of its kernels", Sampled::Runs, None, &|run| {
            Timed::once(profiled(run, |profile| kernels_us(&profile.kernels)))
        }),
    ];
    let kernel = |(kernel, layer): (&str, &str)| {
        open(&kernel_name(kernel, layer), Sampled::Runs, None, &|run| kernel_time(run, kernel, layer))
    };
    let mut kernels: Vec<Open> = kernel_names(&sides).into_iter().map(kernel).collect();
    let both = |open: &Open| open.figure.first_us.value().and(open.figure.second_us.value()).is_some();
    let tools = sides.each_ref().map(|runs| runs.first().is_some_and(|run| run.tool.is_some()));
    let phase = |phase: &Phase| {
        let mut open = open(phase.name, phase.sampled, remark.as_ref(), &|run| phase.of(run));
        let other = (tools[0] != tools[1]).then(|| phase.of_tools.obstacle()).flatten();
        open.figure.obstacle = open.figure.obstacle.or(other);
        open
    };
    let either = |open: &Open| open.figure.first_us.value().or(open.figure.second_us.value()).is_some();
    // Beside another tool a phase that only one of them has is told.
    let is_shown = |open: &Open| if tools[0] == tools[1] { both(open) } else { either(open) };
    let mut phases: Vec<Open> = phases().map(phase).filter(is_shown).collect();
    judge(steps.iter_mut().chain(&mut kernels).chain(&mut phases), margin);
    let [steps, kernels, phases] =
        [steps, kernels, phases].map(|open| open.into_iter().map(|open| open.figure).collect::<Vec<_>>());
    let intervals = [&sides[0], &sides[1]]
        .map(|runs| Interval::of(&runs.iter().flat_map(|run| timed_steps_s(run)).collect::<Vec<_>>()));
    ResultComparison { sides, steps, kernels, phases, intervals, differences, margin }
}

/// Gives each figure its verdict, with p values corrected for how many have one. In turns they are corrected for the
/// number of looks too, and the first figure, which decides when the turns end, is judged alone.
fn judge<'a>(open: impl Iterator<Item = &'a mut Open>, margin: f64) {
    let mut open: Vec<&mut Open> = open.collect();
    let p = |open: &Open| {
        let estimate = open.estimate.filter(|estimate| estimate.test.is_some() && open.figure.obstacle.is_none())?;
        let in_turns = open.sampled == Sampled::Rounds;
        if in_turns { Some(turns::corrected(&estimate)) } else { estimate.test.map(|test| test.p) }
    };
    let alone = usize::from(open.first().is_some_and(|first| first.sampled == Sampled::Rounds && p(first).is_some()));
    let mut values: Vec<f64> = open.iter().filter_map(|open| p(open)).collect();
    let others = values.split_off(alone);
    values.extend(verdict::holm(&others));
    let mut corrected = values.into_iter();
    for open in &mut open {
        let p_corrected = p(open).and_then(|_| corrected.next()).unwrap_or(1.0);
        let estimate = Measured::or_missing(open.estimate, "a time of 0 has no ratio");
        open.figure.judged = open.figure.ratio().and_then(|_| {
            estimate.map(|estimate| {
                let (verdict, reason) = verdict::judge(&estimate, p_corrected, margin, open.sampled);
                Judged { estimate, p_corrected, verdict, reason }
            })
        });
    }
}

/// The mean time of a step in each timed training, its readbacks included.
pub(super) fn timed_steps_s(result: &RunResult) -> Vec<f64> {
    let mean =
        |repeat: &crate::result::Repeat| (repeat.steps() > 0).then(|| repeat.samples_s() / f64::from(repeat.steps()));
    result.repeats.iter().filter_map(mean).collect()
}

fn profiled(result: &RunResult, value: fn(&Profile) -> Measured<f64>) -> Measured<f64> {
    result.profile.and_then(value)
}

fn kernels_us(kernels: &[KernelTime]) -> Measured<f64> {
    let known = kernels.iter().map(|time| Some(f64::from(time.calls_per_step) * time.median_ns.value()? / 1e3));
    Measured::or_missing(known.sum::<Option<f64>>(), "not every kernel could be timed")
}

/// Every kernel with its layer: those of the first side, then those that only the second has.
fn kernel_names<'a>(sides: &[Vec<&'a RunResult>; 2]) -> Vec<(&'a str, &'a str)> {
    let mut names = Vec::new();
    let profiles = sides.iter().flatten().filter_map(|run| run.profile.value());
    for time in profiles.flat_map(|profile| &profile.kernels) {
        let name = (time.kernel.as_str(), time.layer.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What a kernel of a layer is called.
pub(super) fn kernel_name(kernel: &str, layer: &str) -> String {
    format!("{kernel} {layer}")
}

pub(super) fn kernel_time(run: &RunResult, kernel: &str, layer: &str) -> Timed {
    let kernels = run.profile.value().map(|profile| profile.kernels.as_slice()).unwrap_or_default();
    match kernels.iter().find(|time| time.kernel == kernel && time.layer == layer) {
        None => Timed::once(Measured::missing("this kernel is not in that result's profile")),
        Some(time) => {
            let once = Timed::once(time.median_ns.clone().map(|ns| ns / 1e3));
            let samples: Vec<f64> = time.samples_ns.iter().map(|ns| ns / 1e3).collect();
            // Older versions kept no samples.
            let samples = if samples.is_empty() { once.samples } else { verdict::blocks(&samples, KERNEL_BLOCKS) };
            Timed { value: once.value, samples }
        }
    }
}

/// A phase of a run.
struct Phase {
    name: &'static str,
    /// What gives more samples of it.
    sampled: Sampled,
    time: fn(&RunResult) -> Timed,
    of_tools: OfTools,
}

/// What a phase is in a result of another tool.
#[derive(Clone, Copy)]
enum OfTools {
    /// The same work as in a run of gpubench.
    Same,
    /// Other work, which can be compared between other tools alone.
    Other(&'static str),
    /// Nothing: there is no such phase.
    Nothing,
}

impl OfTools {
    /// Why the phase of another tool cannot be divided by that of gpubench, if so.
    fn obstacle(self) -> Option<String> {
        match self {
            Self::Same | Self::Nothing => None,
            Self::Other(what) => Some(format!("not the same work: for another tool it is {what}")),
        }
    }
}

impl Phase {
    fn of(&self, run: &RunResult) -> Timed {
        match (self.of_tools, &run.tool) {
            // Older versions wrote 0.
            (OfTools::Nothing, Some(_)) => Timed::once(Measured::missing("another tool has no such phase")),
            _ => (self.time)(run),
        }
    }
}

macro_rules! once {
    ($($name:literal $field:ident $of_tools:expr,)*) => {
        [$(Phase {
            name: $name,
            sampled: Sampled::Runs,
            time: |run| seconds(&run.phases, |phases| &phases.$field),
            of_tools: $of_tools,
        },)*]
    };
}

const TRAININGS: [Phase; 2] = [
    Phase {
        name: "training",
        sampled: Sampled::Trainings,
        time: |run| {
            let times = run.repeats.iter().filter_map(|repeat| repeat.train_s.value());
            Timed::median(times.map(|seconds| 1e6 * seconds).collect(), "no training was finished")
        },
        of_tools: OfTools::Same,
    },
    Phase {
        name: "evaluation",
        sampled: Sampled::Trainings,
        time: |run| {
            let times = run.repeats.iter().filter_map(|repeat| repeat.evaluate_s.value());
            Timed::median(times.map(|seconds| 1e6 * seconds).collect(), "nothing was evaluated")
        },
        of_tools: OfTools::Other("one pass over the test images, not one for each epoch"),
    },
];

const ONCE: [Phase; 8] = once! {
    "adapter" adapter_s OfTools::Nothing,
    "device" device_s OfTools::Other("the start of its process and the import of its packages"),
    "compile" compile_s OfTools::Other("its first steps, in which it compiles"),
    "data" data_s OfTools::Nothing,
    "check" check_s OfTools::Nothing,
    "first step" first_step_s OfTools::Nothing,
    "warm-up" warm_up_s OfTools::Other("a number of steps of its own"),
    "cold total" cold_total_s OfTools::Nothing,
};

fn phases() -> impl Iterator<Item = &'static Phase> {
    TRAININGS.iter().chain(&ONCE)
}

fn seconds(phases: &Phases, of: fn(&Phases) -> &Measured<f64>) -> Timed {
    Timed::once(of(phases).clone().map(|seconds| 1e6 * seconds))
}
