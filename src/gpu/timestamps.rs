//! Command lists with timestamps around groups of dispatches, at the finest granularity that the device was opened
//! with.

use super::adapter::Timestamps;
use super::buffers::read_buffer;
use super::commands::{BoundDispatch, CommandCounts, EncodedCommands};
use super::device::Gpu;
use crate::error::Result;

/// The beginning and the end of a group of dispatches on the device's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Nanoseconds since an arbitrary origin, the same for all spans of one [`Stopwatch`].
    pub begin_ns: f64,
    /// Nanoseconds since the same origin.
    pub end_ns: f64,
}

impl Span {
    /// Nanoseconds between the two; 0 or negative if the clock is too coarse or runs backwards.
    pub fn duration_ns(self) -> f64 {
        self.end_ns - self.begin_ns
    }
}

/// The timestamp queries of one submission, which every further submission reuses.
pub struct Stopwatch {
    pub(super) queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    granularity: Timestamps,
    period_ns: f64,
    clock_step_ns: Option<f64>,
    origin: std::sync::OnceLock<u64>,
}

/// Groups of dispatches in the order in which they run, each group between two timestamps.
pub struct TimedRecording<'a> {
    stopwatch: &'a Stopwatch,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    counts: CommandCounts,
}

impl Stopwatch {
    /// Creates the queries of `spans` spans. If `clock_step_ns` is given, ticks are rounded down to multiples of it,
    /// which simulates the coarse clocks of browsers.
    ///
    /// # Errors
    /// The reason in words if `gpu` has no usable timestamps.
    pub fn new(gpu: &Gpu, spans: u32, clock_step_ns: Option<f64>) -> std::result::Result<Self, String> {
        let granularity = Timestamps::finest(gpu.device.features());
        let count = 2 * spans;
        if granularity == Timestamps::Unsupported {
            return Err("the device takes no timestamps".into());
        }
        if count > wgpu::QUERY_SET_MAX_QUERIES {
            return Err(format!("{count} timestamps do not fit a query set of {}", wgpu::QUERY_SET_MAX_QUERIES));
        }
        let period_ns = usable_period_ns(gpu.queue.get_timestamp_period())?;
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("stopwatch"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("stopwatch"),
            size: u64::from(count) * u64::from(wgpu::QUERY_SIZE),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let origin = std::sync::OnceLock::new();
        Ok(Self { queries, resolved, granularity, period_ns, clock_step_ns, origin })
    }

    /// The granularity of its timestamps.
    pub fn granularity(&self) -> Timestamps {
        self.granularity
    }

    /// Begins a command list.
    pub fn record(&self, gpu: &Gpu) -> TimedRecording<'_> {
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("profile") });
        TimedRecording { stopwatch: self, encoder, pass: None, counts: CommandCounts::default() }
    }

    /// Resolves the first `spans` pairs of queries at the end of `encoder`'s commands.
    pub(super) fn resolve(&self, encoder: &mut wgpu::CommandEncoder, spans: u32) {
        encoder.resolve_query_set(&self.queries, 0..2 * spans, &self.resolved, 0);
    }

    /// Reads the first `spans` spans of the last submission, in order, after it is done.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn spans(&self, gpu: &Gpu, spans: u32) -> Result<Vec<Span>> {
        let ticks: Vec<u64> = read_buffer(gpu, &self.resolved, "timestamps", 2 * spans as usize).await?;
        // Subtract before converting to floating point, which cannot represent large ticks exactly.
        let origin = *self.origin.get_or_init(|| ticks.iter().copied().min().unwrap_or(0));
        let since_ns = |tick: u64| {
            let exact_ns = tick.wrapping_sub(origin).cast_signed() as f64 * self.period_ns;
            self.clock_step_ns.map_or(exact_ns, |step_ns| (exact_ns / step_ns).floor() * step_ns)
        };
        let pairs = ticks.as_chunks::<2>().0.iter();
        Ok(pairs.map(|&[begin, end]| Span { begin_ns: since_ns(begin), end_ns: since_ns(end) }).collect())
    }
}

/// Nanoseconds of a tick, if the driver reports a possible value.
fn usable_period_ns(period_ns: f32) -> std::result::Result<f64, String> {
    if period_ns.is_finite() && period_ns > 0.0 {
        Ok(f64::from(period_ns))
    } else {
        Err(format!("the driver says that its timestamps tick every {period_ns} ns, which cannot be"))
    }
}

impl TimedRecording<'_> {
    /// Adds the dispatches that `fill` records as one span.
    ///
    /// # Errors
    /// Whatever `fill` returns.
    pub fn span(&mut self, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let stopwatch = self.stopwatch;
        let queries = &stopwatch.queries;
        let begin = self.counts.timestamps as u32;
        match stopwatch.granularity {
            Timestamps::InsidePasses => {
                if self.pass.is_none() {
                    self.begin_pass(None);
                }
                self.write_inside_pass(begin);
                fill(self)?;
                self.write_inside_pass(begin + 1);
            }
            Timestamps::InsideEncoders => {
                self.encoder.write_timestamp(queries, begin);
                self.begin_pass(None);
                fill(self)?;
                self.pass = None;
                self.encoder.write_timestamp(queries, begin + 1);
            }
            Timestamps::PassBoundaries | Timestamps::Unsupported => {
                self.begin_pass(Some(wgpu::ComputePassTimestampWrites {
                    query_set: queries,
                    beginning_of_pass_write_index: Some(begin),
                    end_of_pass_write_index: Some(begin + 1),
                }));
                fill(self)?;
                self.pass = None;
            }
        }
        self.counts.timestamps += 2;
        Ok(())
    }

    fn begin_pass(&mut self, timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("profile"), timestamp_writes };
        self.pass = Some(self.encoder.begin_compute_pass(&descriptor).forget_lifetime());
        self.counts.passes += 1;
    }

    fn write_inside_pass(&mut self, query: u32) {
        if let Some(pass) = &mut self.pass {
            pass.write_timestamp(&self.stopwatch.queries, query);
        }
    }

    /// Adds a dispatch of `workgroups` to the current span; it reads the step record at `step_offset` bytes.
    pub fn dispatch(&mut self, bound: &BoundDispatch, workgroups: [u32; 3], step_offset: u32) {
        let Some(pass) = &mut self.pass else { return };
        bound.encode(pass, workgroups, step_offset);
        self.counts.dispatches += 1;
    }

    /// The number of spans so far.
    pub fn spans(&self) -> u32 {
        self.counts.timestamps as u32 / 2
    }

    /// Encodes the commands.
    pub fn finish(mut self) -> EncodedCommands {
        self.pass = None;
        let spans = self.spans();
        self.stopwatch.resolve(&mut self.encoder, spans);
        EncodedCommands::new(self.encoder, self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_of_zero_is_refused_in_words() {
        assert_eq!(usable_period_ns(1.0), Ok(1.0));
        for period_ns in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let words = usable_period_ns(period_ns).expect_err("cannot be");
            assert!(words.contains("cannot be"), "{words}");
        }
    }
}
