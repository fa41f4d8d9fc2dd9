//! Commands with timestamps around groups of dispatches, at the finest grade the device was opened with.

use super::adapter::Timestamps;
use super::device::{Commands, Encoded, Gpu};
use super::pipelines::Bound;
use crate::error::Result;

/// The features that timestamps of this grade need.
pub(super) fn features(grade: Timestamps) -> wgpu::Features {
    match grade {
        Timestamps::InsidePasses => wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES,
        Timestamps::InsideEncoders => wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS,
        Timestamps::PassBoundaries => wgpu::Features::TIMESTAMP_QUERY,
        Timestamps::Unsupported => wgpu::Features::empty(),
    }
}

/// The finest grade that a device with `features` can take.
fn grade(features: wgpu::Features) -> Timestamps {
    let grades = [Timestamps::InsidePasses, Timestamps::InsideEncoders, Timestamps::PassBoundaries];
    let finest = grades.into_iter().find(|grade| features.contains(self::features(*grade)));
    finest.unwrap_or(Timestamps::Unsupported)
}

/// The beginning and the end of a group of dispatches on the device's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Nanoseconds since an arbitrary moment, the same for all spans of one [`Stopwatch`].
    pub begin_ns: f64,
    /// Nanoseconds since the same moment.
    pub end_ns: f64,
}

impl Span {
    /// Nanoseconds between the two; negative or 0 where the clock is too coarse or went back.
    pub fn duration_ns(self) -> f64 {
        self.end_ns - self.begin_ns
    }
}

/// Room for the timestamps of a submission, used again for every further one.
pub struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    grade: Timestamps,
    period_ns: f64,
    clock_step_ns: Option<f64>,
    origin: std::sync::OnceLock<u64>,
}

/// Groups of dispatches in the order in which they will run, each group between two timestamps.
pub struct TimedRecording<'a> {
    stopwatch: &'a Stopwatch,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    commands: Commands,
}

impl Stopwatch {
    /// Room for `spans` spans in a submission, with ticks rounded down to whole steps of `clock_step_ns` where one is given, as
    /// browsers do, to see what a coarse clock makes of the figures.
    ///
    /// # Errors
    /// In words, why `gpu` can take no timestamps.
    pub fn new(gpu: &Gpu, spans: u32, clock_step_ns: Option<f64>) -> std::result::Result<Self, String> {
        let grade = grade(gpu.device.features());
        let queries = 2 * spans;
        if grade == Timestamps::Unsupported {
            return Err("the device takes no timestamps".into());
        }
        if queries > wgpu::QUERY_SET_MAX_QUERIES {
            return Err(format!("{queries} timestamps do not fit a query set of {}", wgpu::QUERY_SET_MAX_QUERIES));
        }
        let period_ns = usable_period_ns(gpu.queue.get_timestamp_period())?;
        let queries_set = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("stopwatch"),
            ty: wgpu::QueryType::Timestamp,
            count: queries,
        });
        let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("stopwatch"),
            size: u64::from(queries) * u64::from(wgpu::QUERY_SIZE),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let origin = std::sync::OnceLock::new();
        Ok(Self { queries: queries_set, resolved, grade, period_ns, clock_step_ns, origin })
    }

    /// The grade of its timestamps.
    pub fn grade(&self) -> Timestamps {
        self.grade
    }

    /// Begins a list of commands.
    pub fn record(&self, gpu: &Gpu) -> TimedRecording<'_> {
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("profile") });
        TimedRecording { stopwatch: self, encoder, pass: None, commands: Commands::default() }
    }

    /// The first `spans` spans of the last submission, in order, after it is done.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn spans(&self, gpu: &Gpu, spans: u32) -> Result<Vec<Span>> {
        let ticks: Vec<u64> =
            super::buffers::read_buffer(gpu, &self.resolved, "timestamps", 2 * spans as usize).await?;
        // Differences are taken before the ticks become floating-point numbers, which could not tell large ticks apart.
        let origin = *self.origin.get_or_init(|| ticks.iter().copied().min().unwrap_or(0));
        let since_ns = |tick: u64| {
            let exact_ns = tick.wrapping_sub(origin).cast_signed() as f64 * self.period_ns;
            self.clock_step_ns.map_or(exact_ns, |step_ns| (exact_ns / step_ns).floor() * step_ns)
        };
        let pairs = ticks.as_chunks::<2>().0.iter();
        Ok(pairs.map(|&[begin, end]| Span { begin_ns: since_ns(begin), end_ns: since_ns(end) }).collect())
    }
}

/// Nanoseconds of a tick, unless the driver's word for it cannot be true.
pub(super) fn usable_period_ns(period_ns: f32) -> std::result::Result<f64, String> {
    if period_ns.is_finite() && period_ns > 0.0 {
        Ok(f64::from(period_ns))
    } else {
        Err(format!("the driver says that its timestamps tick every {period_ns} ns, which cannot be"))
    }
}

impl TimedRecording<'_> {
    /// Adds the dispatches that `fill` makes as one span.
    ///
    /// # Errors
    /// Whatever `fill` returns.
    pub fn span(&mut self, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let stopwatch = self.stopwatch;
        let queries = &stopwatch.queries;
        let begin = self.commands.timestamps as u32;
        match self.stopwatch.grade {
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
        self.commands.timestamps += 2;
        Ok(())
    }

    fn begin_pass(&mut self, timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("profile"), timestamp_writes };
        self.pass = Some(self.encoder.begin_compute_pass(&descriptor).forget_lifetime());
        self.commands.passes += 1;
    }

    fn write_inside_pass(&mut self, query: u32) {
        if let Some(pass) = &mut self.pass {
            pass.write_timestamp(&self.stopwatch.queries, query);
        }
    }

    /// Adds a dispatch of `workgroups` to the span at hand; it reads the step record at `step_offset` bytes.
    pub fn dispatch(&mut self, bound: &Bound, workgroups: [u32; 3], step_offset: u32) {
        let Some(pass) = &mut self.pass else { return };
        let [x, y, z] = workgroups;
        pass.set_pipeline(&bound.pipeline);
        pass.set_bind_group(0, &bound.group, &[step_offset]);
        pass.dispatch_workgroups(x, y, z);
        self.commands.dispatches += 1;
    }

    /// The number of spans so far.
    pub fn spans(&self) -> u32 {
        self.commands.timestamps as u32 / 2
    }

    /// Encodes the commands.
    pub fn finish(mut self) -> Encoded {
        self.pass = None;
        let written = 0..self.commands.timestamps as u32;
        self.encoder.resolve_query_set(&self.stopwatch.queries, written, &self.stopwatch.resolved, 0);
        Encoded::new(self.encoder, self.commands)
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

    #[test]
    fn the_finest_grade_of_the_features_is_taken() {
        for wanted in
            [Timestamps::InsidePasses, Timestamps::InsideEncoders, Timestamps::PassBoundaries, Timestamps::Unsupported]
        {
            assert_eq!(grade(features(wanted)), wanted);
        }
    }
}
