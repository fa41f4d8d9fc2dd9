//! One opened device: limits, errors, submissions, readback.

use super::adapter::{AdapterInfo, Adapters};
use super::pipeline_cache::{self, PipelineCache};
use super::pipelines::Bound;
use super::{Timestamps, timestamps, wait};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a run needs of a device beyond WebGPU's default limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of the largest buffer that a shader sees.
    pub largest_binding_bytes: u64,
    /// Storage buffers that a shader sees, where that is more than WebGPU's default.
    pub storage_buffers: u32,
    /// Whether shaders test their indices and bound their loops while they run, which costs time.
    pub checked: bool,
    /// Whether shaders exchange values between invocations of a subgroup.
    pub subgroups: bool,
}

/// An opened device and its queue.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The adapter it was opened on.
    pub adapter: AdapterInfo,
    workgroup_limit: u32,
    step_stride: u64,
    pub(super) checked: bool,
    /// What pipelines are compiled with; in words, why with nothing.
    pub(super) cache: std::result::Result<PipelineCache, &'static str>,
    failure: Arc<Mutex<Option<String>>>,
    submitted: [AtomicU64; 4],
}

/// How many commands of each kind were recorded or handed to a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commands {
    /// Kernel launches.
    pub dispatches: u64,
    /// Compute passes.
    pub passes: u64,
    /// Timestamps.
    pub timestamps: u64,
    /// Lists of commands.
    pub submissions: u64,
}

/// Commands that were handed to the device; see [`Gpu::wait`].
pub struct Submission {
    index: wgpu::SubmissionIndex,
    done: futures_channel::oneshot::Receiver<()>,
}

impl Gpu {
    /// Opens `adapter` with WebGPU's default limits, raised where `needs` says so, and without optional features but those of `needs`; where pipelines are
    /// kept ([`Adapters::keep_pipelines`]) and the adapter has a cache for them, with that.
    ///
    /// # Errors
    /// [`Error::Adapter`] if the adapter lacks a limit, naming it, or refuses.
    pub async fn open(adapters: &Adapters, adapter: &AdapterInfo, needs: Needs) -> Result<Self> {
        Self::open_with(adapters, adapter, needs, wgpu::Features::empty()).await
    }

    /// As [`Gpu::open`], and with timestamps of `grade`, which the adapter has to offer.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_with_timestamps(
        adapters: &Adapters,
        adapter: &AdapterInfo,
        needs: Needs,
        grade: Timestamps,
    ) -> Result<Self> {
        Self::open_with(adapters, adapter, needs, timestamps::features(grade)).await
    }

    /// Opens `adapter` to measure peaks: with its timestamps, 16-bit numbers in shaders where it offers them, and bindings of
    /// up to `most_bytes` as far as it allows.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_for_peaks(adapters: &Adapters, adapter: &AdapterInfo, most_bytes: u64) -> Result<Self> {
        let handle = adapters.handle(adapter).await?;
        let offered = handle.limits();
        let allowed = offered.max_storage_buffer_binding_size.min(offered.max_buffer_size);
        let needs = Needs { largest_binding_bytes: most_bytes.min(allowed), ..Needs::default() };
        let half = handle.features() & wgpu::Features::SHADER_F16;
        Self::open_with(adapters, adapter, needs, timestamps::features(adapter.timestamps) | half).await
    }

    async fn open_with(
        adapters: &Adapters,
        adapter: &AdapterInfo,
        needs: Needs,
        features: wgpu::Features,
    ) -> Result<Self> {
        let handle = adapters.handle(adapter).await?;
        let limits = required_limits(needs, &handle.limits(), &adapter.name)?;
        if needs.subgroups && !adapter.subgroups {
            let words = "has no subgroups, which this plan needs: choose another --plan";
            return Err(Error::Adapter(format!("the adapter {} {words}", adapter.name)));
        }
        let features = if needs.subgroups { features | wgpu::Features::SUBGROUP } else { features };
        let keeping = pipeline_cache::feature(&handle, adapters.kept_pipelines(adapter).is_some());
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gpubench"),
            required_limits: limits,
            required_features: features | keeping.unwrap_or_default(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = handle
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::Adapter(format!("the adapter {} could not be opened: {error}", adapter.name)))?;
        let failure = Arc::new(Mutex::new(None));
        let of_errors = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| record(&of_errors, describe(&error))));
        let of_loss = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                record(&of_loss, format!("the device was lost ({message}): restart, and look at the driver's log"));
            }
        });
        // Both are asked for at every dispatch, so they are not looked up in the device's many limits each time.
        let limits = device.limits();
        let alignment = u64::from(limits.min_uniform_buffer_offset_alignment);
        let step_stride = (size_of::<crate::kernels::Step>() as u64).next_multiple_of(alignment);
        let workgroup_limit = limits.max_compute_workgroups_per_dimension;
        let submitted = Default::default();
        let checked = needs.checked;
        let adapter = adapter.clone();
        let cache = Err(pipeline_cache::OFF);
        let mut gpu = Self { device, queue, adapter, workgroup_limit, step_stride, checked, cache, failure, submitted };
        gpu.cache = match keeping {
            Ok(_) => PipelineCache::open(&gpu, &adapters.store).await,
            Err(words) => Err(words),
        };
        Ok(gpu)
    }

    /// Whether pipelines came from a cache, in words: "warm", "cold", or between.
    pub fn pipeline_cache(&self) -> String {
        self.cache.as_ref().map_or_else(|words| (*words).to_owned(), PipelineCache::words)
    }

    /// All commands that were handed to the device so far.
    pub fn commands(&self) -> Commands {
        let [dispatches, passes, timestamps, submissions] =
            [0, 1, 2, 3].map(|kind: usize| self.submitted[kind].load(Ordering::Relaxed));
        Commands { dispatches, passes, timestamps, submissions }
    }

    /// What ends the device when it is called, as a driver that fails does: whatever is under way is lost.
    pub fn ending(&self) -> impl Fn() + use<> {
        let device = self.device.clone();
        move || device.destroy()
    }

    /// Whether the device still works.
    ///
    /// # Errors
    /// [`Error::Device`] with the first error that the device reported.
    pub fn health(&self) -> Result<()> {
        match self.failure.lock() {
            Ok(failure) => failure.clone().map_or(Ok(()), |text| Err(Error::Device(text))),
            Err(_) => Err(Error::Device("the device's error handler panicked".into())),
        }
    }

    /// The limits that matter here and that the device was opened with, by their names in WebGPU.
    pub fn limits(&self) -> BTreeMap<String, u64> {
        let limits = self.device.limits();
        [
            ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size),
            ("maxBufferSize", limits.max_buffer_size),
            ("maxUniformBufferBindingSize", limits.max_uniform_buffer_binding_size),
            ("maxStorageBuffersPerShaderStage", u64::from(limits.max_storage_buffers_per_shader_stage)),
            ("maxComputeWorkgroupStorageSize", u64::from(limits.max_compute_workgroup_storage_size)),
            ("maxComputeInvocationsPerWorkgroup", u64::from(limits.max_compute_invocations_per_workgroup)),
            ("maxComputeWorkgroupsPerDimension", u64::from(limits.max_compute_workgroups_per_dimension)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The features that the device was opened with, by name.
    pub fn features(&self) -> Vec<String> {
        self.device.features().iter_names().map(|(name, _)| name.to_lowercase()).collect()
    }

    /// Whether shaders may use 16-bit floating-point numbers on this device.
    pub fn has_f16(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_F16)
    }

    /// Whether shaders test their indices while they run; browsers always do.
    pub fn checked(&self) -> bool {
        self.checked || cfg!(target_arch = "wasm32")
    }

    /// The most workgroups in one dimension of a dispatch.
    pub fn workgroup_limit(&self) -> u32 {
        self.workgroup_limit
    }

    /// Bytes between two step records.
    pub fn step_stride(&self) -> u64 {
        self.step_stride
    }

    /// Begins a list of commands.
    pub fn record(&self) -> Recording {
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("gpubench") });
        let pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("gpubench"), timestamp_writes: None });
        let commands = Commands { passes: 1, ..Default::default() };
        Recording { pass: pass.forget_lifetime(), encoder, commands }
    }

    /// Encodes commands and hands them to the device; they run in the order of their submission.
    pub fn submit(&self, recording: Recording) -> Submission {
        self.submit_encoded(recording.finish())
    }

    /// Hands encoded commands to the device; they run in the order of their submission.
    pub fn submit_encoded(&self, encoded: Encoded) -> Submission {
        let Commands { dispatches, passes, timestamps, .. } = encoded.commands;
        for (kind, count) in [dispatches, passes, timestamps, 1].into_iter().enumerate() {
            self.submitted[kind].fetch_add(count, Ordering::Relaxed);
        }
        let index = self.queue.submit([encoded.buffer]);
        let (sender, done) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // Nobody waits any more when the run was stopped; then there is nobody to tell.
            let _ = sender.send(());
        });
        Submission { index, done }
    }

    /// Waits until a submission is done.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn wait(&self, submission: Submission) -> Result<()> {
        wait::submission(&self.device, submission.index, submission.done).await?;
        self.health()
    }

    /// Runs `create`, which makes something on the device, and returns the device's objection if it has one.
    pub(super) async fn attempt<T>(&self, create: impl FnOnce() -> T) -> std::result::Result<T, String> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let made = create();
        let errors = [validation.pop().await, internal.pop().await, memory.pop().await];
        errors.into_iter().flatten().next().map_or(Ok(made), |error| Err(describe(&error)))
    }
}

/// Dispatches in the order in which they will run.
pub struct Recording {
    pass: wgpu::ComputePass<'static>,
    encoder: wgpu::CommandEncoder,
    commands: Commands,
}

/// Commands as the device takes them.
pub struct Encoded {
    buffer: wgpu::CommandBuffer,
    commands: Commands,
}

impl Encoded {
    pub(super) fn new(encoder: wgpu::CommandEncoder, commands: Commands) -> Self {
        Self { buffer: encoder.finish(), commands }
    }
}

impl Recording {
    /// Adds a dispatch of `workgroups`, which reads the step record at `step_offset` bytes.
    pub fn dispatch(&mut self, bound: &Bound, workgroups: [u32; 3], step_offset: u32) {
        let [x, y, z] = workgroups;
        self.pass.set_pipeline(&bound.pipeline);
        self.pass.set_bind_group(0, &bound.group, &[step_offset]);
        self.pass.dispatch_workgroups(x, y, z);
        self.commands.dispatches += 1;
    }

    /// Encodes the commands, which is where most of the host's work for them is done.
    pub fn finish(self) -> Encoded {
        let Recording { pass, encoder, commands } = self;
        drop(pass);
        Encoded::new(encoder, commands)
    }
}

fn record(failure: &Mutex<Option<String>>, text: String) {
    if let Ok(mut failure) = failure.lock() {
        failure.get_or_insert(text);
    }
}

fn describe(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => "the device ran out of memory: choose a smaller --batch".into(),
        wgpu::Error::Validation { description, .. } => format!("the device refused a command: {description}"),
        wgpu::Error::Internal { description, .. } => format!("the driver failed: {description}"),
    }
}

/// WebGPU's default limits, with room for the largest buffer.
fn required_limits(needs: Needs, offered: &wgpu::Limits, name: &str) -> Result<wgpu::Limits> {
    let mut limits = wgpu::Limits::default();
    limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.max(needs.largest_binding_bytes);
    limits.max_buffer_size = limits.max_buffer_size.max(needs.largest_binding_bytes);
    let storage_buffers = limits.max_storage_buffers_per_shader_stage.max(needs.storage_buffers);
    limits.max_storage_buffers_per_shader_stage = storage_buffers;
    let lacking = |limit: &str, needed: u64, offered: u64| {
        Error::Adapter(format!(
            "the adapter {name} lacks a limit: this run needs {limit} {needed}, it offers {offered}; choose another --adapter, a smaller --batch or a narrower network"
        ))
    };
    let checks = [
        (
            "maxStorageBufferBindingSize",
            limits.max_storage_buffer_binding_size,
            offered.max_storage_buffer_binding_size,
        ),
        ("maxBufferSize", limits.max_buffer_size, offered.max_buffer_size),
    ];
    for (limit, needed, offered) in checks {
        if needed > offered {
            return Err(lacking(limit, needed, offered));
        }
    }
    let mut others = None;
    limits.check_limits_with_fail_fn(offered, false, |limit, needed, offered| {
        others.get_or_insert_with(|| lacking(limit, needed, offered));
    });
    others.map_or(Ok(limits), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lacking_limit_is_named_with_both_values() {
        let offered = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..Default::default() };
        let error = required_limits(Needs::default(), &offered, "Small").expect_err("too small");
        assert_eq!(error.exit_code(), 4);
        let text = error.to_string();
        assert!(text.contains("maxStorageBufferBindingSize 134217728") && text.contains("offers 1048576"), "{text}");

        let offered = wgpu::Limits { max_compute_invocations_per_workgroup: 64, ..Default::default() };
        let text = required_limits(Needs::default(), &offered, "Small").expect_err("too small").to_string();
        assert!(text.contains("max_compute_invocations_per_workgroup"), "{text}");
    }

    #[test]
    fn a_large_batch_raises_the_limits_it_needs() {
        let needs = Needs { largest_binding_bytes: 1 << 30, ..Needs::default() };
        let offered =
            wgpu::Limits { max_storage_buffer_binding_size: 1 << 31, max_buffer_size: 1 << 31, ..Default::default() };
        let limits = required_limits(needs, &offered, "Large").expect("enough");
        assert_eq!(limits.max_storage_buffer_binding_size, 1 << 30);
        assert_eq!(limits.max_buffer_size, 1 << 30);
    }
}
