//! What the kernel counts for this process and for the machine's cores, between the borders of the training's clock.

use crate::result::Measured;
use procfs_core::{CpuTime, ExplicitSystemInfo, FromBufReadSI, KernelStats};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use web_time::Instant;

/// What this process has used so far.
#[derive(Debug, Clone, PartialEq)]
struct Usage {
    cpu_s: Measured<f64>,
    voluntary_switches: Measured<u64>,
    involuntary_switches: Measured<u64>,
}

/// How long one core was at work, and how long it was counted, in the kernel's ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Core {
    busy: u64,
    all: u64,
}

/// All counters at one moment.
#[derive(Debug, Clone)]
struct Counters {
    at: Instant,
    usage: Usage,
    cores: Measured<Vec<Core>>,
}

/// The counters' growth over the stretches of a training's clock.
#[derive(Debug)]
pub(super) struct HostWindow {
    proc: PathBuf,
    begin: Option<Counters>,
    /// Seconds of all stretches.
    pub(super) window_s: f64,
    usage: Usage,
    cores: Measured<Vec<Core>>,
}

impl HostWindow {
    /// No stretch yet; the machine's cores are read below `proc`.
    pub(super) fn new(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            begin: None,
            window_s: 0.0,
            usage: Usage {
                cpu_s: Measured::Value(0.0),
                voluntary_switches: Measured::Value(0),
                involuntary_switches: Measured::Value(0),
            },
            cores: Measured::Value(Vec::new()),
        }
    }

    /// A stretch begins.
    pub(super) fn start(&mut self) {
        let cores = cores(&self.proc);
        self.begin = Some(Counters { usage: usage(), cores, at: Instant::now() });
    }

    /// The stretch ends, if one has begun.
    pub(super) fn stop(&mut self) {
        let at = Instant::now();
        let end = Counters { at, usage: usage(), cores: cores(&self.proc) };
        if let Some(begin) = self.begin.take() {
            self.add(&begin, &end);
        }
    }

    fn add(&mut self, begin: &Counters, end: &Counters) {
        self.window_s += end.at.duration_since(begin.at).as_secs_f64();
        let (from, to) = (&begin.usage, &end.usage);
        self.usage = Usage {
            cpu_s: grown(&self.usage.cpu_s, &from.cpu_s, &to.cpu_s, |sum, from, to| sum + (to - from)),
            voluntary_switches: grown(
                &self.usage.voluntary_switches,
                &from.voluntary_switches,
                &to.voluntary_switches,
                |sum, from, to| sum + to.saturating_sub(*from),
            ),
            involuntary_switches: grown(
                &self.usage.involuntary_switches,
                &from.involuntary_switches,
                &to.involuntary_switches,
                |sum, from, to| sum + to.saturating_sub(*from),
            ),
        };
        self.cores = match (&begin.cores, &end.cores) {
            (Measured::Value(from), Measured::Value(to)) if from.len() != to.len() => {
                Measured::missing("cores were added or taken away during the training")
            }
            _ => grown(&self.cores, &begin.cores, &end.cores, |sum, from, to| {
                let before = |index: usize| sum.get(index).copied().unwrap_or_default();
                let cores = from.iter().zip(to).enumerate().map(|(index, (from, to))| Core {
                    busy: before(index).busy.saturating_add(to.busy.saturating_sub(from.busy)),
                    all: before(index).all.saturating_add(to.all.saturating_sub(from.all)),
                });
                cores.collect()
            }),
        };
    }

    /// Mean number of cores at work for this process.
    pub(super) fn cpus_used(&self) -> Measured<f64> {
        match self.usage.cpu_s.clone() {
            Measured::Value(cpu_s) if self.window_s > 0.0 => (cpu_s / self.window_s).into(),
            Measured::Value(_) => Measured::missing("the training ended before its clock ran"),
            missing => missing,
        }
    }

    /// Share of the time in which the busiest core was at work, in percent.
    pub(super) fn busiest_cpu_pct(&self) -> Measured<f64> {
        let busiest = |cores: &Vec<Core>| {
            let counted = cores.iter().filter(|core| core.all > 0);
            counted.map(|core| 100.0 * core.busy as f64 / core.all as f64).reduce(f64::max)
        };
        match self.cores.clone().map(|cores| busiest(&cores)) {
            Measured::Value(busiest) => {
                Measured::or_missing(busiest, "the training was shorter than a tick of the kernel")
            }
            Measured::Missing { reason } => Measured::missing(reason),
        }
    }

    /// How often threads gave their core away, and how often it was taken from them.
    pub(super) fn switches(&self) -> [Measured<u64>; 2] {
        [self.usage.voluntary_switches.clone(), self.usage.involuntary_switches.clone()]
    }
}

/// `sum` and what a counter grew by between two moments; once missing, a sum stays so.
fn grown<T: Clone, U>(
    sum: &Measured<T>,
    from: &Measured<U>,
    to: &Measured<U>,
    add: impl FnOnce(&T, &U, &U) -> T,
) -> Measured<T> {
    let reason = [sum.reason(), from.reason(), to.reason()].into_iter().flatten().next();
    match (sum, from, to) {
        (Measured::Value(sum), Measured::Value(from), Measured::Value(to)) => Measured::Value(add(sum, from, to)),
        _ => Measured::missing(reason.unwrap_or_default()),
    }
}

/// The cores' counters below `proc`.
fn cores(proc: &Path) -> Measured<Vec<Core>> {
    let path = proc.join("stat");
    let told =
        |error: &dyn std::fmt::Display| Measured::missing(format!("{} tells of cores ({error})", path.display()));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return told(&error),
    };
    // Ticks are compared with ticks, so that their length does not matter.
    let system =
        ExplicitSystemInfo { boot_time_secs: 0, ticks_per_second: 100, page_size: 4096, is_little_endian: true };
    match KernelStats::from_buf_read(BufReader::new(file), &system) {
        Ok(stats) => Measured::Value(stats.cpu_time.iter().map(core).collect()),
        Err(error) => told(&error),
    }
}

fn core(time: &CpuTime) -> Core {
    let at_work = [Some(time.user), Some(time.nice), Some(time.system), time.irq, time.softirq];
    let busy = at_work.into_iter().flatten().fold(0, u64::saturating_add);
    // What the host of a virtual machine takes away is no work of this core, but time that passed.
    let other = [Some(time.idle), time.iowait, time.steal].into_iter().flatten().fold(0, u64::saturating_add);
    Core { busy, all: busy.saturating_add(other) }
}

/// What this process has used so far.
#[cfg(unix)]
fn usage() -> Usage {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;
    match getrusage(UsageWho::RUSAGE_SELF) {
        Ok(usage) => {
            let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
            Usage {
                cpu_s: (seconds(usage.user_time()) + seconds(usage.system_time())).into(),
                voluntary_switches: Measured::Value(usage.voluntary_context_switches() as u64),
                involuntary_switches: Measured::Value(usage.involuntary_context_switches() as u64),
            }
        }
        Err(error) => untold(&format!("the operating system does not tell ({error})")),
    }
}

/// CPU seconds of the calling thread.
#[cfg(unix)]
pub(super) fn thread_cpu_s() -> Measured<f64> {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID) {
        Ok(time) => (time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9).into(),
        Err(error) => Measured::missing(format!("the operating system does not tell ({error})")),
    }
}

#[cfg(not(unix))]
fn usage() -> Usage {
    untold("read on Unix only")
}

#[cfg(not(unix))]
pub(super) fn thread_cpu_s() -> Measured<f64> {
    Measured::missing("read on Unix only")
}

fn untold(reason: &str) -> Usage {
    Usage {
        cpu_s: Measured::missing(reason),
        voluntary_switches: Measured::missing(reason),
        involuntary_switches: Measured::missing(reason),
    }
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
    fn the_busiest_core_is_found_over_all_stretches_and_only_them() {
        let root = TempDir::new().unwrap();
        let mut window = HostWindow::new(root.path());
        stat(root.path(), &[[100, 100, 0], [100, 100, 0]]);
        window.start();
        stat(root.path(), &[[130, 170, 0], [150, 140, 10]]);
        window.stop();
        // Between the stretches the first core is busy, which does not count.
        stat(root.path(), &[[930, 170, 0], [150, 940, 10]]);
        window.start();
        stat(root.path(), &[[980, 220, 0], [240, 945, 15]]);
        window.stop();
        // Core 0: 30 + 50 of 200 ticks; core 1: 50 + 90 of 200, of which 15 were taken by the host.
        assert_eq!(window.busiest_cpu_pct(), Measured::Value(70.0));
    }

    #[test]
    fn cores_that_cannot_be_counted_say_why() {
        let root = TempDir::new().unwrap();
        let reason = |window: &HostWindow| window.busiest_cpu_pct().reason().unwrap_or_default().to_owned();
        let mut window = HostWindow::new(root.path());
        window.start();
        window.stop();
        assert!(reason(&window).contains("stat tells of cores"), "{}", reason(&window));
        let mut window = HostWindow::new(root.path());
        stat(root.path(), &[[1, 1, 0], [1, 1, 0]]);
        window.start();
        window.stop();
        assert!(reason(&window).contains("shorter than a tick"), "{}", reason(&window));
        window.start();
        stat(root.path(), &[[2, 2, 0]]);
        window.stop();
        assert!(reason(&window).contains("added or taken away"), "{}", reason(&window));
        let mut window = HostWindow::new(root.path());
        fs::write(root.path().join("stat"), "cpu0 many\n").unwrap();
        window.start();
        window.stop();
        assert!(reason(&window).contains("stat tells of cores"), "{}", reason(&window));
    }

    #[cfg(unix)]
    #[test]
    fn a_thread_at_work_uses_about_one_core_and_a_sleeping_one_none() {
        let mut busy = HostWindow::new(Path::new("/proc"));
        busy.start();
        let begun = Instant::now();
        let before = *thread_cpu_s().value().unwrap();
        while begun.elapsed().as_millis() < 50 {
            std::hint::black_box(begun);
        }
        let own_s = *thread_cpu_s().value().unwrap() - before;
        busy.stop();
        // Other tests of this process may run at the same time; this one uses what its own clock says at least.
        let cpu_s = *busy.cpus_used().value().unwrap() * busy.window_s;
        assert!(own_s > 0.0 && cpu_s > 0.9 * own_s - 0.002, "{cpu_s} of {own_s}");
        let mut asleep = HostWindow::new(Path::new("/proc"));
        asleep.start();
        std::thread::sleep(std::time::Duration::from_millis(30));
        asleep.stop();
        let [voluntary, _] = asleep.switches();
        assert!(voluntary.value().is_some_and(|&switches| switches >= 1), "going to sleep gives the core away");
        assert!(asleep.window_s >= 0.03 && asleep.window_s < 10.0);
    }
}
