//! `gpubench --adapters A,B`: data-parallel training on several devices, the host's cores among them.

use super::flags::AUTO;
use super::run_args::{DataParallelArgs, RunArgs, Scaling, Sync};
use super::subject::{Subject, Trainable};
use super::{cpu, no_gpu, terminal};
use crate::bench::{self, Collective, DataParallelTarget, Device, OneProcess, Place, Split, collective};
use crate::error::{Error, Result};
use crate::gpu::{Adapters, adapter};
use crate::result::{Adapter, Measured, Origin, ScalingMode, Setting, Settings, Synchronisation, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use std::sync::Arc;

/// The devices of a data-parallel training as the subject of a run.
///
/// # Errors
/// [`Error::Usage`] if the options contradict each other, [`Error::Adapter`] if a named adapter does not exist.
pub fn subject<'a>(args: &RunArgs, adapters: &'a Adapters, mut settings: Settings) -> Result<Subject<'a>> {
    let options = &args.data_parallel;
    let places = choose(adapters, options, args.cpu.threads)?;
    if places.len() * options.logical_devices.unwrap_or(1) as usize == 1 {
        return Err(Error::Usage(
            "a single device cannot share a batch: name several --adapters, or add --logical-devices 2".into(),
        ));
    }
    let requested = options.adapters.iter().flatten().cloned().collect::<Vec<_>>().join(",");
    settings.adapter = Setting::new(Measured::Value(requested), Origin::Option);
    subject_at(&places, args, adapters, settings, &OneProcess)
}

/// The devices at `places` as the subject of a run, together with those of the other processes of `group`.
///
/// # Errors
/// [`Error::Usage`] if the options contradict each other, or as [`Collective::sum`].
pub fn subject_at<'a>(
    places: &[Place<'a>],
    args: &RunArgs,
    adapters: &'a Adapters,
    mut settings: Settings,
    group: &'a dyn Collective,
) -> Result<Subject<'a>> {
    let options = &args.data_parallel;
    let devices = collective::all_succeeded(group, devices(places, options, &settings.plan.value, group))?;
    let told = |device: &Device<'_>| (device.name.clone(), device.plan.clone(), device.weight);
    let all = collective::gather(group, &devices.iter().map(told).collect::<Vec<_>>())?;
    for (rank, devices) in all.iter().enumerate() {
        let whose = if all.len() > 1 { format!(" of {}", group.name_of(rank)) } else { String::new() };
        for (name, plan, weight) in devices {
            terminal::message(&format!("device{whose}: {name}, part {weight}, plan {plan}"));
        }
    }
    if has_software(&devices) {
        terminal::message("  (times of a software adapter say nothing about a GPU)");
    }
    let all = all.concat();
    settings.plan.value = joined(all.iter().map(|(_, plan, _)| plan), |count, plan| match count {
        count if count == all.len() => plan.to_owned(),
        count => vec![plan; count].join(" + "),
    });
    let name = joined(all.iter().map(|(name, _, _)| name), |count, name| match count {
        1 => name.to_owned(),
        _ => format!("{count} x {name}"),
    });
    let scaling_mode = match options.scaling_mode {
        Some(Scaling::Weak) => ScalingMode::Weak,
        Some(Scaling::Strong) | None => ScalingMode::Strong,
    };
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
        trainable: Trainable::DataParallel(DataParallelTarget {
            adapters,
            devices,
            group,
            scaling_mode,
            sync,
            checked: args.checked,
        }),
    })
}

/// Names with " + " between, those in a row that are equal as `words` says with their number.
fn joined<'a>(names: impl Iterator<Item = &'a String>, words: impl Fn(usize, &str) -> String) -> String {
    let mut runs: Vec<(usize, &str)> = Vec::new();
    for name in names {
        match runs.last_mut() {
            Some((count, last)) if last == name => *count += 1,
            _ => runs.push((1, name)),
        }
    }
    runs.into_iter().map(|(count, name)| words(count, name)).collect::<Vec<_>>().join(" + ")
}

/// Whether a request is for the host's cores.
pub fn names_host(request: &str) -> bool {
    request.trim().eq_ignore_ascii_case(cpu::NAME)
}

/// Where a requested device trains.
///
/// # Errors
/// [`Error::Adapter`] if there is no such adapter, [`Error::Usage`] for an empty name, or as the target on the cores.
pub fn place<'a>(adapters: &'a Adapters, request: &str, threads: Option<usize>) -> Result<Place<'a>> {
    if request.trim().is_empty() {
        return Err(Error::Usage("--adapters has an empty name: give names with commas between, such as 0,1".into()));
    }
    if names_host(request) {
        Ok(Place::Host(Arc::new(cpu::target(threads)?)))
    } else if adapters.infos().is_empty() {
        Err(no_gpu::none_found())
    } else {
        Ok(Place::Adapter(adapter::choose(adapters.infos(), Some(request))?))
    }
}

/// The named adapters and the host's cores, each once.
fn choose<'a>(adapters: &'a Adapters, options: &DataParallelArgs, threads: Option<usize>) -> Result<Vec<Place<'a>>> {
    if threads.is_some() && !options.adapters.iter().flatten().any(|request| names_host(request)) {
        return Err(Error::Usage("--threads is for the host's cores: add cpu to --adapters".into()));
    }
    let mut chosen: Vec<Place<'a>> = Vec::new();
    for request in options.adapters.iter().flatten() {
        let place = place(adapters, request, threads)?;
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

/// The devices to open at `places`, with their weights and plans; each process of `group` opens as many.
fn devices<'a>(
    places: &[Place<'a>],
    options: &DataParallelArgs,
    plan: &str,
    group: &dyn Collective,
) -> Result<Vec<Device<'a>>> {
    let each = options.logical_devices.unwrap_or(1);
    let own = places.len() * each as usize;
    let count = own * group.ranks();
    let weights = match &options.split {
        Some(Split(weights)) if weights.len() == count => weights[group.rank() * own..][..own].to_vec(),
        Some(split) => {
            return Err(Error::Usage(format!(
                "--split {split} has {} parts for {count} devices: give one part for each",
                split.0.len()
            )));
        }
        None => vec![1; own],
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
