//! The resources that processes have used so far: this one's, or those of a group of processes that it started.

use crate::result::Measured;
use procfs_core::FromRead;
use procfs_core::process::Stat;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

/// Ticks of a second in `/proc/PID/stat`: USER_HZ, which is 100 on every architecture that this program is built for.
const TICKS_PER_S: f64 = 100.0;
const ENDED: &str = "no process of the tool could be read in /proc";

/// Whose resources are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// This process.
    This,
    /// Every process of this group.
    Group(u32),
}

/// The resources that processes have used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    /// CPU seconds.
    pub cpu_s: f64,
    /// Voluntary context switches.
    pub voluntary_switches: u64,
    /// Involuntary context switches.
    pub involuntary_switches: u64,
}

impl Processes {
    /// What they have used so far; of a group as the files in `proc` tell.
    pub(super) fn usage(self, proc: &Path) -> Measured<Usage> {
        match self {
            Self::This => of_this(),
            Self::Group(group) => {
                let usages = members(proc, group).into_iter().map(|(folder, stat)| usage_of(&folder, &stat));
                let sum = usages.reduce(|a, b| Usage {
                    cpu_s: a.cpu_s + b.cpu_s,
                    voluntary_switches: a.voluntary_switches + b.voluntary_switches,
                    involuntary_switches: a.involuntary_switches + b.involuntary_switches,
                });
                Measured::or_missing(sum, ENDED)
            }
        }
    }

    /// Their peak resident memory so far, in bytes; of a group the sum of its processes' own peaks.
    pub(super) fn peak_host_memory_bytes(self, proc: &Path) -> Measured<u64> {
        let peak = |folder: &Path| Some(1024 * field(&fs::read_to_string(folder.join("status")).ok()?, "VmHWM:")?);
        match self {
            Self::This => Measured::or_missing(peak(&proc.join("self")), "read on Linux only"),
            Self::Group(group) => {
                let peaks = members(proc, group).into_iter().filter_map(|(folder, _)| peak(&folder));
                Measured::or_missing(peaks.reduce(|a, b| a + b), ENDED)
            }
        }
    }
}

/// The processes of a group: their folders in `proc`, and what their files `stat` say.
fn members(proc: &Path, group: u32) -> Vec<(PathBuf, Stat)> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let is_process = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    let folders = entries.filter(|entry| is_process(&entry.file_name())).map(|entry| entry.path());
    // A process that ended in the meantime has no file any more.
    let member =
        |folder: PathBuf| Some((folder.clone(), Stat::from_read(fs::File::open(folder.join("stat")).ok()?).ok()?));
    folders.filter_map(member).filter(|(_, stat)| u32::try_from(stat.pgrp) == Ok(group)).collect()
}

/// What a process and its ended children have used.
fn usage_of(folder: &Path, stat: &Stat) -> Usage {
    let children = u64::try_from(stat.cutime + stat.cstime).unwrap_or_default();
    let threads = fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
    let statuses: Vec<String> =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).collect();
    let sum = |name: &str| statuses.iter().filter_map(|status| field(status, name)).sum();
    Usage {
        cpu_s: (stat.utime + stat.stime + children) as f64 / TICKS_PER_S,
        voluntary_switches: sum("voluntary_ctxt_switches:"),
        involuntary_switches: sum("nonvoluntary_ctxt_switches:"),
    }
}

/// The number in the line of a file `status` that begins with `name`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The answer of the operating system; missing for its error.
pub(super) fn reported<T>(answer: Result<T, impl Display>) -> Measured<T> {
    match answer {
        Ok(value) => Measured::Value(value),
        Err(error) => Measured::missing(format!("the operating system does not report it ({error})")),
    }
}

#[cfg(unix)]
fn of_this() -> Measured<Usage> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    reported(getrusage(UsageWho::RUSAGE_SELF)).map(|usage| Usage {
        cpu_s: seconds(usage.user_time()) + seconds(usage.system_time()),
        voluntary_switches: usage.voluntary_context_switches() as u64,
        involuntary_switches: usage.involuntary_context_switches() as u64,
    })
}

#[cfg(not(unix))]
fn of_this() -> Measured<Usage> {
    Measured::missing("read on Unix only")
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn a_group_counts_its_processes_and_their_ended_children() {
        let script = "sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; sleep 2 & wait";
        let mut child = Command::new("sh").args(["-c", script]).process_group(0).spawn().unwrap();
        let group = Processes::Group(child.id());
        let begun = std::time::Instant::now();
        let used = loop {
            let used = group.usage(Path::new("/proc")).value().copied().unwrap();
            if members(Path::new("/proc"), child.id()).len() == 2 && used.cpu_s > 0.0 || begun.elapsed().as_secs() > 20
            {
                break used;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert!(used.cpu_s > 0.0 && used.cpu_s < 20.0 && used.voluntary_switches > 0, "{used:?}");
        assert!(group.peak_host_memory_bytes(Path::new("/proc")).value().is_some_and(|bytes| *bytes > 100_000));
        // The shell ends last and has waited for its children, so that none of the group is left, not even a zombie.
        child.wait().unwrap();
        assert_eq!(group.usage(Path::new("/proc")).reason(), Some(ENDED));
    }
}
