//! `gpubench --adapters A,B`: data-parallel training on several devices, the host's cores among them.

use super::flags::AUTO;
use super::run_args::{DataParallelArgs, RunArgs, Sync};
use super::subject::{Subject, Trainable};
use super::{cpu, no_gpu, terminal};
use crate::bench::{self, DataParallelTarget, Device, Place, Split};
use crate::error::{Error, Result};
use crate::gpu::{Adapters, adapter};
use crate::result::{Adapter, Measured, Origin, Setting, Settings, Synchronisation, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use std::sync::Arc;

/// The devices of a data-parallel training as the subject of a run.
///
/// # Errors
/// [`Error::Usage`] if the options contradict each other, [`Error::Adapter`] if a named adapter does not exist.
pub fn subject<'a>(args: &RunArgs, adapters: &'a Adapters, mut settings: Settings) -> Result<Subject<'a>> {
    let options = &args.data_parallel;
    let devices = devices(&choose(adapters, options, args.cpu.threads)?, options, &settings.plan.value)?;
    for device in &devices {
        terminal::message(&format!("device: {}, part {}, plan {}", device.name, device.weight, device.plan));
    }
    if has_software(&devices) {
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
        adapter: described(&name, &devices)?,
        name,
        settings,
        adapter_s: 0.0,
        tuning: no_tuning(),
        tune_s: Measured::missing("the plans were named, or are those shipped"),
        peaks: no_peaks(),
        peaks_s: Measured::missing("no peaks are measured of several devices"),
        probe: MachineProbe::new(&devices.iter().filter_map(Device::adapter).collect::<Vec<_>>()),
        trainable: Trainable::DataParallel(DataParallelTarget { adapters, devices, sync, checked: args.checked }),
    })
}

/// The named adapters and the host's cores, each once.
fn choose<'a>(adapters: &'a Adapters, options: &DataParallelArgs, threads: Option<usize>) -> Result<Vec<Place<'a>>> {
    let names_host = |request: &String| request.trim().eq_ignore_ascii_case(cpu::NAME);
    if threads.is_some() && !options.adapters.iter().flatten().any(names_host) {
        return Err(Error::Usage("--threads is for the host's cores: add cpu to --adapters".into()));
    }
    let mut chosen: Vec<Place<'a>> = Vec::new();
    for request in options.adapters.iter().flatten() {
        if request.trim().is_empty() {
            return Err(Error::Usage(
                "--adapters has an empty name: give names with commas between, such as 0,1".into(),
            ));
        }
        let place = if names_host(request) {
            Place::Host(Arc::new(cpu::target(threads)?))
        } else if adapters.infos().is_empty() {
            return Err(no_gpu::none_found());
        } else {
            Place::Adapter(adapter::choose(adapters.infos(), Some(request))?)
        };
        if chosen.iter().any(|other| is_same(other, &place)) {
            return Err(Error::Usage(format!(
                "--adapters names {} twice: name each once; --logical-devices 2 opens two devices on one",
                name_of(&place)
            )));
        }
        chosen.push(place);
    }
    Ok(chosen)
}

/// The devices to open at `places`, with their weights and plans.
fn devices<'a>(places: &[Place<'a>], options: &DataParallelArgs, plan: &str) -> Result<Vec<Device<'a>>> {
    let each = options.logical_devices.unwrap_or(1);
    let count = places.len() * each as usize;
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
    let name = |place: &Place<'_>, number: u32| {
        let namesakes = places.iter().filter(|one| name_of(one) == name_of(place)).count();
        let index = match place {
            Place::Adapter(adapter) if namesakes > 1 => format!(" ({})", adapter.index),
            _ => String::new(),
        };
        let number = if each == 1 { String::new() } else { format!(" #{}", number + 1) };
        format!("{}{index}{number}", name_of(place))
    };
    let opened = places.iter().flat_map(|place| (0..each).map(move |number| (place, number)));
    let device = |((place, number), weight): ((&Place<'a>, u32), u32)| Device {
        place: place.clone(),
        name: name(place, number),
        plan: match place {
            Place::Host(host) => host.plan().to_owned(),
            Place::Adapter(adapter) if plan == AUTO => bench::shipped_plan(adapter).to_owned(),
            Place::Adapter(_) => plan.to_owned(),
        },
        weight,
    };
    Ok(opened.zip(weights).map(device).collect())
}

fn is_same(one: &Place<'_>, other: &Place<'_>) -> bool {
    match (one, other) {
        (Place::Adapter(one), Place::Adapter(other)) => one.index == other.index,
        (Place::Host(_), Place::Host(_)) => true,
        _ => false,
    }
}

fn name_of<'a>(place: &'a Place<'_>) -> &'a str {
    match place {
        Place::Adapter(adapter) => &adapter.name,
        Place::Host(host) => host.name(),
    }
}

fn has_software(devices: &[Device<'_>]) -> bool {
    devices.iter().filter_map(Device::adapter).any(|adapter| adapter.software)
}

/// The devices described as one adapter, for the result: as the first adapter among them, else as the host's cores.
fn described(label: &str, devices: &[Device<'_>]) -> Result<Adapter> {
    let first = match devices.iter().find_map(Device::adapter) {
        Some(adapter) => bench::describe_adapter(adapter),
        None => cpu::target(None)?.describe(),
    };
    Ok(Adapter { name: label.to_owned(), software: has_software(devices), ..first })
}
