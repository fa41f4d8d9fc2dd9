//! One opened device: its limits, its submissions, its health.

use super::adapter::{AdapterInfo, Timestamps};
use super::adapters::Adapters;
use super::commands::{CommandCounts, EncodedCommands, Recording, Submission};
use super::failure::{DeviceFailure, attempt};
use super::pipeline_cache::{self, PipelineCache};
use super::platform;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a run needs beyond WebGPU's default limits and features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Size of the largest buffer that is bound to a shader.
    pub largest_binding_bytes: u64,
    /// Storage buffers of one shader, if more than WebGPU's default limit.
    pub storage_buffers: u32,
    /// Whether shaders are compiled with wgpu's runtime checks (bounds of indices, of loops), which cost time.
    pub checked: bool,
    /// Whether shaders use subgroup operations.
    pub subgroups: bool,
    /// Whether shaders compute with 16-bit numbers.
    pub f16: bool,
}

/// The most workgroups in one dimension of a dispatch: WebGPU's default limit, with which devices are opened.
pub const DEFAULT_WORKGROUP_LIMIT: u32 = wgpu::Limits::defaults().max_compute_workgroups_per_dimension;

/// What to do about an adapter that cannot be opened.
const WAY_OUT: &str = if cfg!(target_arch = "wasm32") {
    "; reload the page, or try another browser"
} else {
    "; choose another with --adapter (`gpubench list` names them), or the host's cores with --adapter cpu"
};

/// An opened device and its queue.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The adapter it was opened on.
    pub adapter: AdapterInfo,
    workgroup_limit: u32,
    step_stride: u64,
    pub(super) checked: bool,
    /// The cache that pipelines are compiled with; the reason in words if there is none.
    pub(super) cache: std::result::Result<PipelineCache, &'static str>,
    failure: DeviceFailure,
    stop: Arc<AtomicBool>,
    submitted: Mutex<CommandCounts>,
}

impl Gpu {
    /// Opens `adapter` with WebGPU's default limits and no optional features, except for those of `needs`, and with the
    /// adapter's pipeline cache if it is enabled ([`Adapters::enable_pipeline_cache`]) and supported.
    ///
    /// # Errors
    /// [`Error::Adapter`] if the adapter lacks a limit, naming it, or refuses.
    pub async fn open(adapters: &Adapters, adapter: &AdapterInfo, needs: Needs) -> Result<Self> {
        Self::open_with(adapters, adapter, needs, wgpu::Features::empty()).await
    }

    /// Opens `adapter` as [`Gpu::open`] does, and with `timestamps`, which the adapter has to support.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_with_timestamps(
        adapters: &Adapters,
        adapter: &AdapterInfo,
        needs: Needs,
        timestamps: Timestamps,
    ) -> Result<Self> {
        Self::open_with(adapters, adapter, needs, timestamps.features()).await
    }

    /// Opens `adapter` to measure peaks: with its timestamps, with f16 in shaders if it is supported, and with bindings
    /// of up to `most_bytes` as far as the limits allow.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_for_peaks(adapters: &Adapters, adapter: &AdapterInfo, most_bytes: u64) -> Result<Self> {
        let handle = adapters.handle(adapter).await?;
        let offered = handle.limits();
        let allowed = offered.max_storage_buffer_binding_size.min(offered.max_buffer_size);
        let f16 = adapters.offers_f16(adapter);
        let needs = Needs { largest_binding_bytes: most_bytes.min(allowed), f16, ..Needs::default() };
        Self::open_with(adapters, adapter, needs, adapter.timestamps.features()).await
    }

    async fn open_with(
        adapters: &Adapters,
        adapter: &AdapterInfo,
        needs: Needs,
        features: wgpu::Features,
    ) -> Result<Self> {
        let handle = adapters.handle(adapter).await?;
        let limits = required_limits(needs, &handle.limits(), &adapter.name)?;
        let features =
            features | optional_features(needs, [adapter.subgroups, adapters.offers_f16(adapter)], &adapter.name)?;
        let cache_feature = pipeline_cache::feature(&handle, adapters.pipeline_cache_data(adapter).is_some());
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gpubench"),
            required_limits: limits,
            required_features: features | cache_feature.unwrap_or_default(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = handle.request_device(&descriptor).await.map_err(|error| {
            Error::Adapter(format!("the adapter {} could not be opened: {error}{WAY_OUT}", adapter.name))
        })?;
        let failure = DeviceFailure::watch(&device);
        let cache = match cache_feature {
            Ok(_) => PipelineCache::open(&device, adapter, &adapters.pipeline_caches).await,
            Err(words) => Err(words),
        };
        // Both are read at every dispatch: looking them up in wgpu's limits each time would be slow.
        let limits = device.limits();
        let alignment = u64::from(limits.min_uniform_buffer_offset_alignment);
        Ok(Self {
            device,
            queue,
            adapter: adapter.clone(),
            workgroup_limit: limits.max_compute_workgroups_per_dimension,
            step_stride: (size_of::<crate::kernels::Step>() as u64).next_multiple_of(alignment),
            checked: needs.checked,
            cache,
            failure,
            stop: adapters.stop.clone(),
            submitted: Mutex::default(),
        })
    }

    /// Whether pipelines came from a cache, in words: "warm", "cold", or partly.
    pub fn pipeline_cache(&self) -> String {
        self.cache.as_ref().map_or_else(|words| (*words).to_owned(), PipelineCache::words)
    }

    /// All commands that were submitted so far.
    pub fn commands(&self) -> CommandCounts {
        *self.submitted()
    }

    fn submitted(&self) -> MutexGuard<'_, CommandCounts> {
        self.submitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A function that destroys the device, as a failing driver does: commands in flight are lost.
    pub fn destroyer(&self) -> impl Fn() + use<> {
        let device = self.device.clone();
        move || device.destroy()
    }

    /// Whether the device still works.
    ///
    /// # Errors
    /// [`Error::Device`] with the first error that the device reported.
    pub fn health(&self) -> Result<()> {
        self.failure.check()
    }

    /// # Errors
    /// [`Error::Interrupted`] if a stop was requested by the flag of [`Adapters::stopped_by`].
    pub fn expect_no_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// The limits of the device that matter to kernels, by their names in WebGPU.
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
        self.device.features().iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }

    /// Whether shaders may use f16 on this device.
    pub fn has_f16(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_F16)
    }

    /// Whether shaders run with runtime checks; in browsers they always do.
    pub fn checked(&self) -> bool {
        self.checked || cfg!(target_arch = "wasm32")
    }

    /// The most workgroups in one dimension of a dispatch.
    pub fn workgroup_limit(&self) -> u32 {
        self.workgroup_limit
    }

    /// The distance between two step records, in bytes.
    pub fn step_stride(&self) -> u64 {
        self.step_stride
    }

    /// Begins a command list.
    pub fn record(&self) -> Recording {
        Recording::new(&self.device)
    }

    /// Encodes and submits commands; submissions are executed in order.
    pub fn submit(&self, recording: Recording) -> Submission {
        self.submit_encoded(recording.finish())
    }

    /// Submits encoded commands; submissions are executed in order.
    pub fn submit_encoded(&self, commands: EncodedCommands) -> Submission {
        let mut submitted = self.submitted();
        *submitted = *submitted + commands.counts;
        drop(submitted);
        let index = self.queue.submit([commands.buffer]);
        let (sender, done) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // The receiver is gone if the run was stopped.
            let _ = sender.send(());
        });
        Submission { index, done }
    }

    /// Waits until a submission is done.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn wait(&self, submission: Submission) -> Result<()> {
        let waited = platform::wait_for_submission(&self.device, submission.index, submission.done).await;
        // What the device reported tells more than that waiting for it failed.
        self.health().and(waited)
    }

    /// Runs `create`, which creates something on the device; returns the device's error in words if there is one.
    pub(super) async fn attempt<T>(&self, create: impl FnOnce() -> T) -> std::result::Result<T, String> {
        attempt(&self.device, create).await
    }
}

/// The optional features of `needs`, from an adapter that offers subgroups and 16-bit arithmetic or not.
fn optional_features(needs: Needs, offers: [bool; 2], name: &str) -> Result<wgpu::Features> {
    let asked = [
        (needs.subgroups, offers[0], "subgroups", wgpu::Features::SUBGROUP),
        (needs.f16, offers[1], "16-bit arithmetic in shaders (shader-f16)", wgpu::Features::SHADER_F16),
    ];
    let mut features = wgpu::Features::empty();
    for (_, offered, what, feature) in asked.into_iter().filter(|(needed, ..)| *needed) {
        if !offered {
            let words = "which this plan needs: choose another --plan";
            return Err(Error::Adapter(format!("the adapter {name} has no {what}, {words}")));
        }
        features |= feature;
    }
    Ok(features)
}

/// WebGPU's default limits, raised to what `needs` asks for.
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
    let mut first = None;
    limits.check_limits_with_fail_fn(offered, false, |limit, needed, offered| {
        first.get_or_insert_with(|| lacking(limit, needed, offered));
    });
    first.map_or(Ok(limits), Err)
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
    fn a_lacking_feature_is_named() {
        let f16 = Needs { f16: true, ..Needs::default() };
        let both = Needs { subgroups: true, ..f16 };
        for (needs, offers, what) in [
            (f16, [true, false], "no 16-bit arithmetic in shaders (shader-f16)"),
            (both, [false, true], "no subgroups"),
        ] {
            let error = optional_features(needs, offers, "Small").expect_err("a feature is lacking");
            assert_eq!(error.exit_code(), 4);
            let text = error.to_string();
            assert!(text.contains("Small") && text.contains(what) && text.contains("another --plan"), "{text}");
        }
        assert_eq!(optional_features(Needs::default(), [false; 2], "Small"), Ok(wgpu::Features::empty()));
        assert_eq!(optional_features(f16, [false, true], "Large"), Ok(wgpu::Features::SHADER_F16));
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
