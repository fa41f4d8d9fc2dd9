//! A run in a page: the training first, so that its result comes soon, then the adapter's peaks and a profile.

use super::classify::{self, Gallery};
use super::events;
use super::host::Host;
use super::observer::{self, PageObserver};
use super::request::{self, Request};
use super::shown::shown;
use crate::bench::training_target::TrainingTarget;
use crate::bench::{self, AdapterTarget, Job, Observer, ProfileOptions, Setup, TrainedRun};
use crate::cpu::CpuTarget;
use crate::data::{Dataset, idx, synthetic};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::peaks;
use crate::result::{Adapter, Measured, PEAK_FACTS, Peaks, RunResult, Settings, no_peaks};
use std::cell::RefCell;
use std::ops::ControlFlow;
use web_time::{Duration, Instant};

/// Seconds after its start at which a quick run should have tested its training.
const TESTED_S: f64 = 25.0;
/// Seconds after its start at which a quick run should end.
const END_S: f64 = 42.0;
/// Seconds that a quick run leaves to its peaks at least; the profile has fewer steps instead.
const PEAKS_S: f64 = 4.0;
/// Profiled steps of a quick run at least.
const LEAST_STEPS: u32 = 5;
/// Steps that a profile runs for each of its slow steps: one without timestamps stands beside it.
const STEPS_EACH: f64 = 2.0;
/// Figures of an adapter's peaks: bandwidths are measured in several working sets.
const FIGURES: usize = PEAK_FACTS.len() + 9;

thread_local! {
    /// The peaks measured for the first profile, reused by later ones: they do not change while a page is open.
    static PEAKS: RefCell<Option<(AdapterInfo, Peaks)>> = const { RefCell::new(None) };
    /// The four IDX files given to the page, in the order of [`idx::FILES`].
    static FILES: RefCell<[Vec<u8>; 4]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()]) };
}

/// Stores one of the four IDX files, plain or gzip.
///
/// # Errors
/// [`Error::Data`] if there is no such file or it is damaged.
pub fn set_file(index: usize, name: &str, bytes: Vec<u8>) -> Result<()> {
    let file = idx::FILES.get(index).ok_or_else(|| Error::Data(format!("there is no file number {index}: 0 to 3")))?;
    let (bytes, _) = idx::check(file, name, bytes)?;
    FILES.with_borrow_mut(|files| files[index] = bytes);
    Ok(())
}

/// Runs what `request` asks for; the result tells if it failed.
///
/// # Errors
/// [`Error::Adapter`] without an adapter, [`Error::Data`] without data: nothing was measured then.
pub async fn run(request: &Request, host: &Host, observer: PageObserver) -> Result<RunResult> {
    let mut run = Run { request, host, observer, started: Instant::now() };
    if request.on_cpu() { run.on_cpu().await } else { run.on_adapter().await }
}

/// A run of a page.
struct Run<'a> {
    request: &'a Request,
    host: &'a Host,
    observer: PageObserver,
    started: Instant,
}

impl Run<'_> {
    async fn on_cpu(&mut self) -> Result<RunResult> {
        let target = CpuTarget { pause: events::turn, ..CpuTarget::new(self.host.processor(), Some(1))? };
        let (dataset, data_s) = self.dataset().await?;
        let mut result = self.result(self.request.settings(), target.describe(), &dataset, [0.0, data_s]);
        let job = self.job(&dataset);
        if let Some(trained) = self.train(&target, &job, &mut result).await {
            // It says why there is none.
            trained
                .profile(&Job { profile: Some(ProfileOptions::new(1)), ..job }, &mut result, &mut self.observer)
                .await?;
        }
        Ok(result)
    }

    async fn on_adapter(&mut self) -> Result<RunResult> {
        let adapters = Adapters::find(Some("webgpu")).await?;
        let chosen = adapter::choose(adapters.infos(), None)?;
        let adapter_s = self.started.elapsed().as_secs_f64();
        let (dataset, data_s) = self.dataset().await?;
        let named = self.host.name_adapter(chosen);
        let mut settings = self.request.settings();
        if settings.plan.value == request::SHIPPED {
            settings.plan.value = bench::shipped_plan(&named).to_owned();
        }
        let mut result = self.result(settings, bench::describe_adapter(&named), &dataset, [adapter_s, data_s]);
        let target = AdapterTarget { adapters: &adapters, adapter: chosen, checked: true };
        let mut job = self.job(&dataset);
        let Some(trained) = self.train(&target, &job, &mut result).await else { return Ok(result) };
        let Some(steps) = self.request.profile_steps else { return Ok(result) };

        result.profile = Measured::missing("it is taken after the training");
        result.account = Measured::missing("it rests on the profile, which is taken after the training");
        self.observer.send_shown("trained", &shown(&result)?);
        let (steps, peaks_end) = self.second_stage(&result, steps);
        job.peaks = self.peaks(&adapters, chosen, peaks_end).await;
        job.profile = Some(ProfileOptions::new(steps));
        let profiled = match self.observer.stop_requested() {
            true => Err(Error::Interrupted),
            false => trained.profile(&job, &mut result, &mut self.observer).await,
        };
        if let Err(error) = profiled {
            let reason = if error == Error::Interrupted { "cancelled".to_owned() } else { error.to_string() };
            (result.profile, result.account) = (Measured::missing(&*reason), Measured::missing(reason));
            result.peaks = job.peaks;
        }
        result.warnings.extend(observer::warnings());
        Ok(result)
    }

    /// The data, and the seconds that getting them took.
    async fn dataset(&mut self) -> Result<(Dataset, f64)> {
        self.observer.phase("data");
        // The page shows the phase before the thread is busy.
        events::turn().await;
        let start = Instant::now();
        Ok((dataset(self.request)?, start.elapsed().as_secs_f64()))
    }

    /// The result before the run.
    fn result(
        &self,
        settings: Settings,
        adapter: Adapter,
        dataset: &Dataset,
        [adapter_s, data_s]: [f64; 2],
    ) -> RunResult {
        let mut result = bench::initial_result(Setup {
            settings,
            environment: self.host.environment(adapter),
            dataset,
            started_utc: self.host.now_utc.clone(),
            adapter_s,
            data_s,
        });
        result.phases.peaks_s = Measured::missing("a page measures them after the training, outside the cold total");
        result.phases.tune_s = Measured::missing("a page takes the plan shipped for its kind of adapter");
        result.warnings.extend(self.host.warnings());
        result
    }

    fn job<'d>(&self, dataset: &'d Dataset) -> Job<'d> {
        Job {
            dataset,
            init: None,
            profile: None,
            peaks: no_peaks(),
            probe: &bench::probe::NoProbe("browsers do not expose it"),
            compiler: &bench::compiler::NoCompiler("browsers do not expose it"),
            started: self.started,
            deadline: Some(self.after(TESTED_S)),
        }
    }

    fn after(&self, seconds: f64) -> Instant {
        self.started + Duration::from_secs_f64(seconds)
    }

    /// Trains on `target` and keeps the network for drawings; `None` if the result is not complete.
    async fn train<'t, T: TrainingTarget>(
        &mut self,
        target: &'t T,
        job: &Job<'_>,
        result: &mut RunResult,
    ) -> Option<TrainedRun<T::Opened<'t>>> {
        let config = bench::training_config(&result.settings);
        let gallery = Gallery::of(&job.dataset.test, result.settings.dropout.value);
        self.observer.show_digits(gallery, &config.model.initial_parameters(config.seed));
        let trained = bench::train_first(target, job, result, &mut self.observer).await;
        result.warnings.extend(observer::warnings());
        let trained = trained.ok()?;
        classify::store_network(result, trained.parameters());
        self.observer.send_guesses(None, trained.parameters());
        Some(trained)
    }

    /// The steps to profile and the end of the peaks, so that a quick run ends in time: the profile opens a device of
    /// its own and compiles again.
    fn second_stage(&self, result: &RunResult, steps: u32) -> (u32, Option<Instant>) {
        let cost_s = bench::profile_cost_s(result).filter(|_| self.request.quick);
        let Some((open_s, step_s)) = cost_s else { return (steps, None) };
        let end_s = END_S - open_s - bench::STEPS_BEFORE * step_s;
        let left_s = end_s - PEAKS_S - self.started.elapsed().as_secs_f64();
        let steps = steps.min(((left_s / (STEPS_EACH * step_s)) as u32).max(LEAST_STEPS));
        (steps, Some(self.after((end_s - STEPS_EACH * f64::from(steps) * step_s).max(0.0))))
    }

    /// The adapter's peaks, as many as there is time for before `deadline`.
    async fn peaks(
        &mut self,
        adapters: &Adapters,
        adapter: &AdapterInfo,
        deadline: Option<Instant>,
    ) -> Measured<Peaks> {
        let cached = PEAKS.with_borrow(|cached| cached.clone());
        if let Some((_, peaks)) = cached.filter(|(measured, _)| measured == adapter) {
            return Measured::Value(Peaks { cached: true, ..peaks });
        }
        self.observer.phase("peaks");
        let mut done = 0;
        let observer = &self.observer;
        let mut progress = |name: &str| {
            observer.send_figure(done, FIGURES, name);
            done += 1;
            if observer.stop_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match peaks::measure_until(adapters, adapter, deadline, &mut progress).await {
            Ok(peaks) if peaks.figures.iter().all(|figure| figure.median.value().is_none()) => {
                Measured::missing("a quick run had no time left for them")
            }
            Ok(peaks) => {
                let mut peaks = Peaks { measured_utc: self.host.now_utc.clone(), ..peaks };
                peaks.subject.adapter = self.host.name_adapter(adapter).name;
                peaks.subject.driver = "driver unknown".to_owned();
                if deadline.is_none_or(|deadline| Instant::now() < deadline) {
                    PEAKS.set(Some((adapter.clone(), peaks.clone())));
                }
                Measured::Value(peaks)
            }
            Err(error) => Measured::missing(error.to_string()),
        }
    }
}

/// The files given to the page if the request asks for them, else synthetic digits.
fn dataset(request: &Request) -> Result<Dataset> {
    if request.data != "files" {
        let (train, test) = request.images();
        return Ok(synthetic::digits(synthetic::SEED, train, test));
    }
    let files = FILES.with_borrow(|files| files.clone());
    if files.iter().any(Vec::is_empty) {
        return Err(Error::Data("not all four files of MNIST were given: drop them onto the page together".into()));
    }
    idx::parse(files, "files given to the page")
}
