//! Requests: the settings of a run as a page passes them.

use crate::cpu;
use crate::data::idx;
use crate::error::{Error, Result};
use crate::kernels::plan_named;
use crate::model::{DROPOUT_RATE, Training};
use crate::result::{Measured, Origin, Setting, Settings, StoppingRule};
use serde::Deserialize;

/// Placeholder for the adapter's default plan until the adapter is known.
pub const SHIPPED: &str = "shipped";
/// The target of the browser's adapter.
const WEBGPU: &str = "webgpu";
/// Training images per test image, as in MNIST.
const TRAIN_PER_TEST: u32 = 6;

/// The settings of a run; omitted fields are those of a standard run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Passes over the training images, 1 to 1000.
    pub epochs: Option<u32>,
    /// Batch size, at least 1.
    pub batch: Option<u32>,
    /// Stop after this many steps, at least 1.
    pub steps: Option<u32>,
    /// Seed of initial weights, order and dropout.
    pub seed: Option<u64>,
    /// Number of trainings, 1 to 1000.
    pub repeat: Option<u32>,
    /// Whether to stop after half a minute of training.
    pub quick: bool,
    /// Whether to shuffle every epoch.
    pub shuffle: bool,
    /// Probability of dropping a value, from 0 to below 1.
    pub dropout: Option<f32>,
    /// `synthetic`, or `files` for those given to the page.
    pub data: String,
    /// Number of synthetic training images, 6 to 60,000, with a sixth as many test images; ignored for files.
    pub digits: Option<u32>,
    /// Plan; the adapter's default if omitted.
    pub plan: Option<String>,
    /// Steps to profile after the training; no profile if omitted.
    pub profile_steps: Option<u32>,
    /// What trains: `webgpu`, the browser's adapter, or `cpu`.
    pub target: String,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            epochs: None,
            batch: None,
            steps: None,
            seed: None,
            repeat: None,
            quick: false,
            shuffle: true,
            dropout: None,
            data: "synthetic".to_owned(),
            digits: None,
            plan: None,
            profile_steps: None,
            target: WEBGPU.to_owned(),
        }
    }
}

impl Request {
    /// Parses a request and checks its ranges.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the field and its range.
    pub fn parse(text: &str) -> Result<Self> {
        let request: Self = serde_json::from_str(text).map_err(|error| {
            Error::Usage(format!("the settings cannot be read ({error}): reload the page without them"))
        })?;
        let within = |name: &str, value: Option<u32>, most: u32| match value {
            Some(value) if value == 0 || value > most => {
                Err(Error::Usage(format!("{name}={value} is out of range: choose {name} from 1 to {most}")))
            }
            _ => Ok(()),
        };
        within("epochs", request.epochs, 1000)?;
        within("batch", request.batch, u32::MAX)?;
        within("steps", request.steps, u32::MAX)?;
        within("repeat", request.repeat, 1000)?;
        within("profile_steps", request.profile_steps, 100_000)?;
        let most = idx::FILES[0].items as u32;
        if request.digits.is_some_and(|digits| !(TRAIN_PER_TEST..=most).contains(&digits)) {
            return Err(Error::Usage(format!("choose digits from {TRAIN_PER_TEST} to {most}")));
        }
        if request.dropout.is_some_and(|rate| !(0.0..1.0).contains(&rate)) {
            return Err(Error::Usage("dropout must be at least 0 and below 1".into()));
        }
        if let Some(plan) = &request.plan {
            plan_named(plan)?;
        }
        if !["synthetic", "files"].contains(&request.data.as_str()) {
            return Err(Error::Usage(format!("data={} is not known: use synthetic or files", request.data)));
        }
        if ![WEBGPU, cpu::NAME].contains(&request.target.as_str()) {
            let known = format!("use {WEBGPU} or {}", cpu::NAME);
            return Err(Error::Usage(format!("target={} is not known: {known}", request.target)));
        }
        Ok(request)
    }

    /// Whether the host's processor trains.
    pub fn on_cpu(&self) -> bool {
        self.target == cpu::NAME
    }

    /// The numbers of training and test images.
    pub fn images(&self) -> (usize, usize) {
        match self.digits.filter(|_| self.data == "synthetic") {
            Some(digits) => (digits as usize, (digits / TRAIN_PER_TEST) as usize),
            None => (idx::FILES[0].items, idx::FILES[2].items),
        }
    }

    /// The settings of the result.
    pub fn settings(&self) -> Settings {
        let standard = Training::STANDARD;
        let flag = |given: bool, value: bool| Setting::new(value, if given { Origin::Option } else { Origin::Default });
        let (adapter, backend, plan) = match self.on_cpu() {
            true => (Measured::Value(cpu::NAME.to_owned()), Measured::missing("the processor has none"), cpu::NAME),
            false => (Measured::missing("any"), Measured::Value(WEBGPU.to_owned()), SHIPPED),
        };
        Settings {
            adapter: Setting::default(adapter),
            backend: Setting::default(backend),
            data: Setting::new(self.data.clone(), if self.data == "files" { Origin::File } else { Origin::Default }),
            epochs: Setting::option_or(self.epochs, if self.quick { 1 } else { standard.epochs }),
            batch: Setting::option_or(self.batch, standard.batch),
            steps: match self.steps {
                Some(steps) => Setting::new(Measured::Value(steps), Origin::Option),
                None => Setting::default(Measured::missing("no limit")),
            },
            seed: Setting::option_or(self.seed, 1),
            repeat: Setting::option_or(self.repeat, 1),
            shuffle: flag(!self.shuffle, self.shuffle),
            dropout: Setting::option_or(self.dropout, DROPOUT_RATE),
            init: Setting::default(Measured::missing("drawn from the seed")),
            plan: Setting::option_or(self.plan.clone().filter(|_| !self.on_cpu()), plan.to_owned()),
            quick: flag(self.quick, self.quick),
            strict: Setting::default(false),
            stopping: StoppingRule::default(),
        }
    }
}
