//! What trainings used of the machine, and how they were repeated.

use super::layout::{Facts, GAP, Table};
use super::numbers::{Notes, bytes, fixed, or_reason, thousands, three_digits};
use crate::result::{GpuLoad, Load, Measured, Repeat, RepeatingEnd, RunResult, Sampling, Spread, Throttling};
use crate::stats::MIN_SAMPLES_FOR_INTERVAL;

/// What the first training used, how the repeating ended, and the soak.
pub(super) fn facts(result: &RunResult) -> Facts {
    let mut facts = vec![("load", load(result)), ("memory", memory(result))];
    if let Some(load) = first_load(result) {
        facts.extend([("device", device(load)), ("energy", energy(load))]);
        facts.extend(load.sampling.value().map(|sampling| ("sampling", sampled(sampling))));
    }
    facts.extend(repeating(result).map(|words| ("repeating", words)));
    facts.extend(soak(result).map(|words| ("soak", words)));
    facts
}

fn first_load(result: &RunResult) -> Option<&Load> {
    result.repeats.first().and_then(|repeat| repeat.load.value())
}

/// One line about processor and GPU, over all trainings.
pub(super) fn load(result: &RunResult) -> String {
    let summary = &result.summary;
    let percent = |figure: &Measured<f64>| or_reason(figure, |share| format!("{} %", fixed(*share, 1)));
    let gpu = match (&summary.gpu_busy_pct, &summary.driver_gpu_busy_pct) {
        (Measured::Missing { reason: own }, Measured::Missing { reason: driver }) if own == driver => {
            format!("GPU busy n/a ({own})")
        }
        (own, driver) => format!("GPU busy by the time account {}, by the driver {}", percent(own), percent(driver)),
    };
    let switches = first_load(result).map_or_else(String::new, |load| {
        let count = |figure: &Measured<u64>| or_reason(figure, |count| three_digits(*count as f64));
        let [voluntary, involuntary] = [&load.voluntary_switches, &load.involuntary_switches].map(count);
        format!("; {voluntary} voluntary and {involuntary} involuntary context switches")
    });
    let cpus = or_reason(&summary.cpus_used, |cpus| fixed(*cpus, 2));
    let others = first_load(result).and_then(|load| load.other_cpus.value());
    let others = others.map_or_else(String::new, |others| format!(" ({} by other programs)", fixed(*others, 2)));
    format!("{cpus} CPUs{others}, busiest core {}{switches}; {gpu}", percent(&summary.busiest_cpu_pct))
}

fn memory(result: &RunResult) -> String {
    let summary = &result.summary;
    let of_driver = first_load(result)
        .map_or_else(|| "n/a (not measured)".to_owned(), |load| or_reason(&load.gpu.memory_bytes, |used| bytes(*used)));
    format!(
        "{} on the host at most, {} of buffers on the device; in use there by the driver {of_driver}",
        or_reason(&summary.peak_host_memory_bytes, |peak| bytes(*peak)),
        or_reason(&summary.device_buffer_bytes, |buffers| bytes(*buffers)),
    )
}

fn spread(spread: &Spread, unit: &str) -> String {
    let [lowest, mean, highest] = [spread.lowest, spread.mean, spread.highest].map(three_digits);
    if lowest == highest { format!("{mean} {unit}") } else { format!("{mean} {unit} ({lowest} to {highest})") }
}

fn device(load: &Load) -> String {
    let GpuLoad { source, core_clock_mhz, memory_clock_mhz, temperature_c, power_w, throttling, .. } = &load.gpu;
    let source = match source {
        Measured::Value(source) => source,
        Measured::Missing { reason } => return format!("n/a ({reason})"),
    };
    let figures = [
        ("clock", core_clock_mhz, "MHz"),
        ("memory clock", memory_clock_mhz, "MHz"),
        ("temperature", temperature_c, "°C"),
        ("power", power_w, "W"),
    ];
    let mut parts: Vec<String> = figures
        .iter()
        .filter_map(|(name, figure, unit)| Some(format!("{name} {}", spread(figure.value()?, unit))))
        .collect();
    parts.push(or_reason(throttling, throttled));
    // The first reason stands for all that are missing: the result holds one for each.
    let missing: Vec<&str> =
        figures.iter().filter(|(_, figure, _)| figure.value().is_none()).map(|(name, _, _)| *name).collect();
    if let Some((_, first, _)) = figures.iter().find(|(_, figure, _)| figure.value().is_none()) {
        parts.push(format!("{} n/a ({})", missing.join(", "), first.reason().unwrap_or_default()));
    }
    format!("{}; told by {source}", parts.join(", "))
}

fn throttled(throttling: &Throttling) -> String {
    match throttling.reasons.is_empty() {
        true => "not throttled".to_owned(),
        false => {
            let reasons = throttling.reasons.join(", ");
            format!("THROTTLED in {} % of the readings ({reasons})", fixed(throttling.share_pct, 0))
        }
    }
}

fn energy(load: &Load) -> String {
    or_reason(&load.energy, |energy| {
        let joules = |figure: &Measured<f64>| or_reason(figure, |joules| format!("{} J", three_digits(*joules)));
        format!(
            "{} J in all; {} without the idle power of {}: {} an epoch, {} for 1,000 images; of {}; {}",
            three_digits(energy.total_j),
            joules(&energy.net_j),
            or_reason(&energy.idle_w, |watts| format!("{} W", three_digits(*watts))),
            joules(&energy.net_j_per_epoch),
            joules(&energy.net_j_per_1000_images),
            energy.of,
            energy.method,
        )
    })
}

fn sampled(sampling: &Sampling) -> String {
    format!(
        "{} readings, {} a second at most, in {} s of CPU time: {} % of one core",
        sampling.readings,
        three_digits(sampling.most_per_s),
        three_digits(sampling.cpu_s),
        fixed(sampling.cpu_pct, 2),
    )
}

/// How the repeating ended, where more than one training was asked for.
fn repeating(result: &RunResult) -> Option<String> {
    let repeating = result.repeating.value()?;
    let steady = &result.settings.stopping;
    let target = steady.target_ci_pct.value.value();
    if result.settings.repeat.value == 1 && target.is_none() {
        return None;
    }
    let target = or_reason(&steady.target_ci_pct.value, |pct| format!("{pct} %"));
    let limit = or_reason(&steady.max_time_s.value, |seconds| format!("{seconds} s"));
    let because = match repeating.ended {
        RepeatingEnd::Count => "as many as were asked for".to_owned(),
        RepeatingEnd::Target => format!("enough for an interval within {target} of the median"),
        RepeatingEnd::MaxTime => format!("stopped because --max-time of {limit} was over"),
        RepeatingEnd::MostTrainings => "no more are ever made".to_owned(),
        RepeatingEnd::Unfinished => "not at its end".to_owned(),
    };
    let pause_s = steady.cooldown_s.value;
    let pauses = if pause_s > 0.0 { format!(", with pauses of {pause_s} s") } else { String::new() };
    let half_width =
        repeating.half_width_pct.value().filter(|_| repeating.trainings as usize >= MIN_SAMPLES_FOR_INTERVAL);
    let reach = half_width
        .map_or_else(String::new, |pct| format!("; the interval reaches {} % from the median", fixed(*pct, 2)));
    Some(format!(
        "{} trainings in {} s{pauses}, {because}{reach}",
        repeating.trainings,
        three_digits(repeating.elapsed_s),
    ))
}

fn soak(result: &RunResult) -> Option<String> {
    result.settings.stopping.soak_min.value.value()?;
    Some(or_reason(&result.soak, |soak| {
        let throttling = first_load(result).map(|load| or_reason(&load.gpu.throttling, throttled));
        let hourly = |figure: &Measured<f64>| or_reason(figure, |pct| format!("{} % an hour", fixed(*pct, 2)));
        format!(
            "{} epochs: fastest {} s (epoch {}), median {} s, slowest {} s (epoch {}), drift {}, standard \
             error {}; {}",
            soak.epochs,
            three_digits(soak.best_s),
            soak.best_epoch,
            three_digits(soak.median_s),
            three_digits(soak.worst_s),
            soak.worst_epoch,
            hourly(&soak.drift_pct_per_hour),
            hourly(&soak.drift_error_pct_per_hour),
            throttling.unwrap_or_else(|| "throttling n/a (not measured)".to_owned()),
        )
    }))
}

/// The table of trainings if there are several.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    match result.repeats.len() {
        0 | 1 => String::new(),
        _ => format!("Trainings\n\n{}", table(result).shortened().text(GAP, width)),
    }
}

/// One row for each training.
pub(super) fn table(result: &RunResult) -> Table {
    let headings = [
        "training",
        "steps",
        "time\n[s]",
        "CPUs",
        "busiest\nCPU %",
        "GPU %\n(driver)",
        "power\n[W]",
        "net energy\n[J]",
        "throttled\n%",
    ];
    Table::of(&headings, 0, result.repeats.iter().enumerate(), cells)
}

fn cells((index, repeat): (usize, &Repeat), notes: &mut Notes) -> Vec<String> {
    let load = match &repeat.load {
        Measured::Value(load) => load.clone(),
        Measured::Missing { reason } => Load::missing(reason),
    };
    let mean = |figure: Measured<Spread>| figure.map(|spread| spread.mean);
    let net_j = match load.energy {
        Measured::Value(energy) => energy.net_j,
        Measured::Missing { reason } => Measured::missing(reason),
    };
    vec![
        (index + 1).to_string(),
        thousands(&repeat.steps().to_string()),
        notes.or_mark(&repeat.train_s, three_digits),
        notes.or_mark(&load.cpus_used, |cpus| fixed(cpus, 2)),
        notes.or_mark(&load.busiest_cpu_pct, |pct| fixed(pct, 1)),
        notes.or_mark(&mean(load.gpu.busy_pct), |pct| fixed(pct, 1)),
        notes.or_mark(&mean(load.gpu.power_w), three_digits),
        notes.or_mark(&net_j, three_digits),
        notes.or_mark(&load.gpu.throttling.map(|throttling| throttling.share_pct), |pct| fixed(pct, 0)),
    ]
}
