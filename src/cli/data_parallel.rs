//! `gpubench --adapters A,B`: data-parallel training on several devices.

use super::flags::AUTO;
use super::run_args::{DataParallelArgs, RunArgs, Sync};
use super::subject::{Subject, Trainable};
use super::terminal;
use crate::bench::{self, DataParallelTarget, Device, Split};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::result::{Adapter, Measured, Origin, Setting, Settings, Synchronisation, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;

/// The devices of a data-parallel training as the subject of a run.
///
/// # Errors
/// [`Error::Usage`] if the options contradict each other, [`Error::Adapter`] if a named adapter does not exist.
pub fn subject<'a>(args: &RunArgs, adapters: &'a Adapters, mut settings: Settings) -> Result<Subject<'a>> {
    let options = &args.data_parallel;
    let devices = devices(&choose(adapters, options)?, options, &settings.plan.value)?;
    for device in &devices {
        terminal::message(&format!("device: {}, part {}, plan {}", device.name, device.weight, device.plan));
    }
    if devices.iter().any(|device| device.adapter.software) {
        terminal::message("  (times of a software adapter say nothing about a GPU)");
    }
    let requested = options.adapters.iter().flatten().cloned().collect::<Vec<_>>().join(",");
    settings.adapter = Setting::new(Measured::Value(requested), Origin::Option);
    let plans: Vec<&str> = devices.iter().map(|device| device.plan.as_str()).collect();
    settings.plan.value =
        if plans.windows(2).all(|pair| pair[0] == pair[1]) { plans[0].into() } else { plans.join(" + ") };
    let name = devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(" + ");
    let sync = match options.sync {
        Some(Sync::Epoch) => Synchronisation::Epoch,
        Some(Sync::Step) | None => Synchronisation::Step,
    };
    Ok(Subject {
        adapter: described(&name, &devices),
        name,
        settings,
        adapter_s: 0.0,
        tuning: no_tuning(),
        tune_s: Measured::missing("the plans were named, or are those shipped"),
        peaks: no_peaks(),
        peaks_s: Measured::missing("no peaks are measured of several devices"),
        probe: MachineProbe::new(&devices.iter().map(|device| device.adapter).collect::<Vec<_>>()),
        trainable: Trainable::DataParallel(DataParallelTarget { adapters, devices, sync, checked: args.checked }),
    })
}

/// The named adapters, each once.
fn choose<'a>(adapters: &'a Adapters, options: &DataParallelArgs) -> Result<Vec<&'a AdapterInfo>> {
    let mut chosen: Vec<&AdapterInfo> = Vec::new();
    for request in options.adapters.iter().flatten() {
        if request.trim().is_empty() {
            return Err(Error::Usage(
                "--adapters has an empty name: give names with commas between, such as 0,1".into(),
            ));
        }
        if request.trim().eq_ignore_ascii_case("cpu") {
            return Err(Error::Usage(
                "the CPU target trains by itself: name adapters of `gpubench list` in --adapters, or use --adapter cpu"
                    .into(),
            ));
        }
        let adapter = adapter::choose(adapters.infos(), Some(request))?;
        if chosen.iter().any(|other| other.index == adapter.index) {
            return Err(Error::Usage(format!(
                "--adapters names {} twice: name each adapter once; --logical-devices 2 opens two devices on one",
                adapter.name
            )));
        }
        chosen.push(adapter);
    }
    Ok(chosen)
}

/// The devices to open on `adapters`, with their weights and plans.
fn devices<'a>(adapters: &[&'a AdapterInfo], options: &DataParallelArgs, plan: &str) -> Result<Vec<Device<'a>>> {
    let each = options.logical_devices.unwrap_or(1);
    let count = adapters.len() * each as usize;
    if count < 2 {
        return Err(Error::Usage(
            "a single device cannot share a batch: name several --adapters, or add --logical-devices 2".into(),
        ));
    }
    let weights = match &options.split {
        Some(Split(weights)) if weights.len() == count => weights.clone(),
        Some(split) => {
            return Err(Error::Usage(format!(
                "--split {split} has {} parts for {count} devices: give one part for each",
                split.0.len()
            )));
        }
        None => vec![1; count],
    };
    let name = |adapter: &AdapterInfo, number: u32| match (
        each,
        adapters.iter().filter(|one| one.name == adapter.name).count(),
    ) {
        (1, 1) => adapter.name.clone(),
        (1, _) => format!("{} ({})", adapter.name, adapter.index),
        (_, 1) => format!("{} #{}", adapter.name, number + 1),
        (_, _) => format!("{} ({}) #{}", adapter.name, adapter.index, number + 1),
    };
    let opened = adapters.iter().flat_map(|adapter| (0..each).map(move |number| (*adapter, number)));
    let device = |((adapter, number), weight): ((&'a AdapterInfo, u32), u32)| Device {
        adapter,
        name: name(adapter, number),
        plan: if plan == AUTO { bench::shipped_plan(adapter).to_owned() } else { plan.to_owned() },
        weight,
    };
    Ok(opened.zip(weights).map(device).collect())
}

/// The devices described as one adapter, for the result.
fn described(label: &str, devices: &[Device<'_>]) -> Adapter {
    let software = devices.iter().any(|device| device.adapter.software);
    Adapter { name: label.to_owned(), software, ..bench::describe_adapter(devices[0].adapter) }
}
