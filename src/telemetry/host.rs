//! The kernel's counters of processes and of the machine's cores, over the intervals of the training's clock.

use super::usage::{Processes, Usage, reported};
use crate::result::Measured;
use procfs_core::{CpuTime, ExplicitSystemInfo, FromBufReadSI, KernelStats};
use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use web_time::Instant;

const NO_TICK: &str = "the training was shorter than a tick of the kernel";

/// The busy, the stolen and the total time of one core, in ticks of the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct CoreTicks {
    busy: u64,
    /// Taken away by a hypervisor.
    stolen: u64,
    all: u64,
}

/// All counters at one moment.
#[derive(Debug, Clone)]
struct Counters {
    at: Instant,
    usage: Measured<Usage>,
    cores: Measured<Vec<CoreTicks>>,
}

/// The growth of the counters over the intervals of a training's clock.
#[derive(Debug)]
pub(super) struct HostWindow {
    proc: PathBuf,
    processes: Processes,
    begin: Option<Counters>,
    /// Seconds of all intervals.
    pub(super) window_s: f64,
    usage: Measured<Usage>,
    cores: Measured<Vec<CoreTicks>>,
}

impl HostWindow {
    /// A window of `processes` without any interval; the counters of the machine's cores are read in `proc`.
    pub(super) fn new(proc: &Path, processes: Processes) -> Self {
        let (usage, cores) = (Measured::Value(Usage::default()), Measured::Value(Vec::new()));
        Self { proc: proc.to_owned(), processes, begin: None, window_s: 0.0, usage, cores }
    }

    /// Begins an interval.
    pub(super) fn start(&mut self) {
        let cores = cores(&self.proc);
        self.begin = Some(Counters { usage: self.processes.usage(&self.proc), cores, at: Instant::now() });
    }

    /// Ends the interval, if one has begun.
    pub(super) fn stop(&mut self) {
        let at = Instant::now();
        let end = Counters { at, usage: self.processes.usage(&self.proc), cores: cores(&self.proc) };
        if let Some(begin) = self.begin.take() {
            self.add(&begin, &end);
        }
    }

    fn add(&mut self, begin: &Counters, end: &Counters) {
        self.window_s += end.at.duration_since(begin.at).as_secs_f64();
        self.usage = add_growth(&self.usage, &begin.usage, &end.usage, |sum, from, to| Usage {
            cpu_s: sum.cpu_s + (to.cpu_s - from.cpu_s),
            voluntary_switches: sum.voluntary_switches + to.voluntary_switches.saturating_sub(from.voluntary_switches),
            involuntary_switches: sum.involuntary_switches
                + to.involuntary_switches.saturating_sub(from.involuntary_switches),
        });
        self.cores = match (&begin.cores, &end.cores) {
            (Measured::Value(from), Measured::Value(to)) if from.len() != to.len() => {
                Measured::missing("cores were added or taken away during the training")
            }
            _ => add_growth(&self.cores, &begin.cores, &end.cores, |sum, from, to| {
                let before = |index: usize| sum.get(index).copied().unwrap_or_default();
                let cores = from.iter().zip(to).enumerate().map(|(index, (from, to))| CoreTicks {
                    busy: before(index).busy.saturating_add(to.busy.saturating_sub(from.busy)),
                    stolen: before(index).stolen.saturating_add(to.stolen.saturating_sub(from.stolen)),
                    all: before(index).all.saturating_add(to.all.saturating_sub(from.all)),
                });
                cores.collect()
            }),
        };
    }

    /// Mean number of cores in use by the processes.
    pub(super) fn cpus_used(&self) -> Measured<f64> {
        self.usage.and_then(|usage| match self.window_s > 0.0 {
            true => (usage.cpu_s / self.window_s).into(),
            false => Measured::missing("the training ended before its clock ran"),
        })
    }

    /// Mean number of cores that were busy with other processes, or taken away by a hypervisor.
    pub(super) fn other_cpus(&self) -> Measured<f64> {
        self.cores.and_then(|cores| {
            let counted: Vec<&CoreTicks> = cores.iter().filter(|core| core.all > 0).collect();
            if counted.is_empty() {
                return Measured::missing(NO_TICK);
            }
            let share = |core: &CoreTicks| (core.busy + core.stolen) as f64 / core.all as f64;
            let all: f64 = counted.into_iter().map(share).sum();
            self.cpus_used().map(|own| (all - own).max(0.0))
        })
    }

    /// Load of the busiest core, in percent.
    pub(super) fn busiest_cpu_pct(&self) -> Measured<f64> {
        self.cores.and_then(|cores| {
            let counted = cores.iter().filter(|core| core.all > 0);
            let busiest = counted.map(|core| 100.0 * core.busy as f64 / core.all as f64).reduce(f64::max);
            Measured::or_missing(busiest, NO_TICK)
        })
    }

    /// Voluntary and involuntary context switches of the processes.
    pub(super) fn switches(&self) -> [Measured<u64>; 2] {
        let usage = || self.usage.clone();
        [usage().map(|usage| usage.voluntary_switches), usage().map(|usage| usage.involuntary_switches)]
    }
}

/// Adds the growth of a counter between two moments to `sum`; a sum that is missing once stays missing.
fn add_growth<T: Clone, U>(
    sum: &Measured<T>,
    from: &Measured<U>,
    to: &Measured<U>,
    add: impl FnOnce(&T, &U, &U) -> T,
) -> Measured<T> {
    sum.and_then(|sum| from.and_then(|from| to.and_then(|to| Measured::Value(add(sum, from, to)))))
}

/// The counters of the cores in `proc`.
fn cores(proc: &Path) -> Measured<Vec<CoreTicks>> {
    let path = proc.join("stat");
    let missing = |error: &dyn Display| {
        Measured::missing(format!("the counters of the cores in {} cannot be read ({error})", path.display()))
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return missing(&error),
    };
    // Only ratios of ticks are used, so that their length does not matter.
    let system =
        ExplicitSystemInfo { boot_time_secs: 0, ticks_per_second: 100, page_size: 4096, is_little_endian: true };
    match KernelStats::from_buf_read(BufReader::new(file), &system) {
        Ok(stats) => Measured::Value(stats.cpu_time.iter().map(ticks).collect()),
        Err(error) => missing(&error),
    }
}

fn ticks(time: &CpuTime) -> CoreTicks {
    let busy = [Some(time.user), Some(time.nice), Some(time.system), time.irq, time.softirq];
    let busy = busy.into_iter().flatten().fold(0, u64::saturating_add);
    // Time that a hypervisor steals counts as elapsed time of this core, but not as busy.
    let other = [Some(time.idle), time.iowait, time.steal].into_iter().flatten().fold(0, u64::saturating_add);
    CoreTicks { busy, stolen: time.steal.unwrap_or_default(), all: busy.saturating_add(other) }
}

/// CPU seconds of the calling thread.
#[cfg(unix)]
pub(super) fn thread_cpu_s() -> Measured<f64> {
    let time = reported(nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID));
    time.map(|time| time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

#[cfg(not(unix))]
pub(super) fn thread_cpu_s() -> Measured<f64> {
    Measured::missing("read on Unix only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// A `/proc/stat` of two cores: ticks of user, idle and steal.
    fn stat(root: &Path, cores: &[[u64; 3]]) {
        let line = |(index, [user, idle, steal]): (usize, &[u64; 3])| {
            format!("cpu{index} {user} 0 0 {idle} 0 0 0 {steal} 0 0\n")
        };
        let lines: String = cores.iter().enumerate().map(line).collect();
        let text = format!(
            "cpu  1 0 0 1 0 0 0 0 0 0\n{lines}intr 0\nctxt 5\nbtime 7\nprocesses 3\nprocs_running 1\nprocs_blocked 0\n"
        );
        fs::write(root.join("stat"), text).unwrap();
    }

    #[test]
    fn the_busiest_core_is_found_over_all_intervals_and_only_them() {
        let root = TempDir::new().unwrap();
        let mut window = HostWindow::new(root.path(), Processes::This);
        stat(root.path(), &[[100, 100, 0], [100, 100, 0]]);
        window.start();
        stat(root.path(), &[[130, 170, 0], [150, 140, 10]]);
        window.stop();
        // Between the intervals the first core is busy, which does not count.
        stat(root.path(), &[[930, 170, 0], [150, 940, 10]]);
        window.start();
        stat(root.path(), &[[980, 220, 0], [240, 945, 15]]);
        window.stop();
        // Core 0: 30 + 50 of 200 ticks; core 1: 50 + 90 of 200, of which 15 were stolen.
        assert_eq!(window.busiest_cpu_pct(), Measured::Value(70.0));
        // Of 2 cores 80 + 140 + 15 of 400 ticks; this test itself uses next to nothing of them.
        let own = *window.cpus_used().value().unwrap();
        assert_eq!(window.other_cpus(), Measured::Value((0.4 + 0.775 - own).max(0.0)));
    }

    #[test]
    fn cores_that_cannot_be_counted_say_why() {
        let root = TempDir::new().unwrap();
        let reason = |window: &HostWindow| window.busiest_cpu_pct().reason().unwrap_or_default().to_owned();
        let mut window = HostWindow::new(root.path(), Processes::This);
        window.start();
        window.stop();
        assert!(reason(&window).contains("stat cannot be read"), "{}", reason(&window));
        let mut window = HostWindow::new(root.path(), Processes::This);
        stat(root.path(), &[[1, 1, 0], [1, 1, 0]]);
        window.start();
        window.stop();
        assert!(reason(&window).contains("shorter than a tick"), "{}", reason(&window));
        window.start();
        stat(root.path(), &[[2, 2, 0]]);
        window.stop();
        assert!(reason(&window).contains("added or taken away"), "{}", reason(&window));
        let mut window = HostWindow::new(root.path(), Processes::This);
        fs::write(root.path().join("stat"), "cpu0 many\n").unwrap();
        window.start();
        window.stop();
        assert!(reason(&window).contains("stat cannot be read"), "{}", reason(&window));
    }

    #[cfg(unix)]
    #[test]
    fn a_busy_thread_uses_about_one_core_and_a_sleeping_one_none() {
        let mut busy = HostWindow::new(Path::new("/proc"), Processes::This);
        busy.start();
        let begun = Instant::now();
        let before = *thread_cpu_s().value().unwrap();
        while begun.elapsed().as_millis() < 50 {
            std::hint::black_box(begun);
        }
        let own_s = *thread_cpu_s().value().unwrap() - before;
        busy.stop();
        // Other tests of this process may run at the same time: the usage is at least that of this thread.
        let cpu_s = *busy.cpus_used().value().unwrap() * busy.window_s;
        assert!(own_s > 0.0 && cpu_s > 0.9 * own_s - 0.002, "{cpu_s} of {own_s}");
        let mut asleep = HostWindow::new(Path::new("/proc"), Processes::This);
        asleep.start();
        std::thread::sleep(std::time::Duration::from_millis(30));
        asleep.stop();
        let [voluntary, _] = asleep.switches();
        assert!(voluntary.value().is_some_and(|&switches| switches >= 1), "going to sleep is a voluntary switch");
        assert!(asleep.window_s >= 0.03 && asleep.window_s < 10.0);
    }
}
