//! The kinds of peak figures: their units, plausible ranges and explanations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 10^9 floating-point operations per second.
    GflopPerS,
    /// 10^9 bytes per second.
    GbytePerS,
    /// Nanoseconds.
    Ns,
}

impl Unit {
    /// The symbol as written after numbers.
    pub const fn symbol(self) -> &'static str {
        match self {
            Unit::GflopPerS => "GFLOP/s",
            Unit::GbytePerS => "GB/s",
            Unit::Ns => "ns",
        }
    }

    /// The lowest figure that is plausible.
    const fn lowest(self) -> f64 {
        match self {
            Unit::GflopPerS | Unit::GbytePerS => 1e-4,
            Unit::Ns => 0.1,
        }
    }
}

/// What a reader should know about a kind of figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakFacts {
    /// The kind.
    pub kind: PeakKind,
    /// Its name in tables.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The lowest and the highest plausible figure, in its unit: beyond what any device reaches, so that only a broken
    /// clock or work that was not done falls outside.
    pub plausible: [f64; 2],
    /// What it means, in one plain sentence.
    pub sentence: &'static str,
}

/// Makes the kinds, each with its name, unit, highest plausible figure and meaning.
macro_rules! peak_kinds {
    ($($(#[$doc:meta])* $kind:ident: $name:literal, $unit:ident, $highest:literal, $sentence:literal;)*) => {
        /// What a figure measures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum PeakKind {
            $($(#[$doc])* $kind,)*
        }

        /// One row for each kind, in the order of the kinds and of reports.
        pub static PEAK_FACTS: &[PeakFacts] = &[$(PeakFacts {
            kind: PeakKind::$kind,
            name: $name,
            unit: Unit::$unit,
            plausible: [Unit::$unit.lowest(), $highest],
            sentence: $sentence,
        }),*];
    };
}

peak_kinds! {
    /// Multiply-adds of 32-bit numbers in registers.
    Fp32MultiplyAdd: "FP32 multiply-add", GflopPerS, 1e6,
        "The most 32-bit arithmetic the device does with everything in registers: no kernel can compute faster.";
    /// Multiply-adds of 16-bit numbers in registers.
    Fp16MultiplyAdd: "FP16 multiply-add", GflopPerS, 1e7,
        "The same with 16-bit numbers: what a variant in half precision could gain at most; matrix units are not used.";
    /// Reading storage buffers.
    StorageRead: "storage read", GbytePerS, 1e6,
        "How fast kernels read buffers: small ones stay in the caches, the largest comes from memory.";
    /// Writing storage buffers.
    StorageWrite: "storage write", GbytePerS, 1e6,
        "How fast kernels write buffers, in the caches and to memory.";
    /// Copying from one storage buffer to another by a shader; read and written bytes both count.
    StorageCopy: "storage copy", GbytePerS, 1e6,
        "How fast kernels read one buffer and write another, both directions counted: the usual case in training.";
    /// Reading workgroup memory.
    WorkgroupRead: "workgroup read", GbytePerS, 1e6,
        "How fast the invocations of a workgroup read the memory they share: what tiling buys over reading storage again.";
    /// An empty dispatch that does not depend on the one before.
    IndependentDispatch: "dispatch, independent", Ns, 1e9,
        "What starting a kernel costs where it need not wait for the one before.";
    /// An empty dispatch that depends on the one before.
    DependentDispatch: "dispatch, dependent", Ns, 1e9,
        "What starting a kernel costs where it needs the results of the one before, as in training: no kernel of a chain takes less.";
    /// A pass with one empty dispatch, beyond that dispatch.
    Pass: "pass", Ns, 1e9,
        "What beginning and ending a compute pass adds to the dispatch in it.";
    /// Encoding a dispatch on the host.
    EncodeDispatch: "encode a dispatch", Ns, 1e9,
        "What the processor spends on writing down one dispatch: times dispatches per step, the host's share of a step.";
    /// Submitting an almost empty command list, on the host.
    Submit: "submit", Ns, 1e9,
        "What the processor spends on handing a list of commands to the driver.";
    /// From submitting such a list until its completion is known.
    RoundTrip: "round trip", Ns, 1e9,
        "From handing over a list with one empty dispatch to knowing that it is done: what waiting for the device costs each time.";
    /// Copying from host memory to the device.
    HostToDevice: "host to device", GbytePerS, 1e4,
        "How fast data in host memory reach a buffer of the device, by way of the API's own staging memory.";
    /// Copying from the device to host memory.
    DeviceToHost: "device to host", GbytePerS, 1e4,
        "How fast a buffer of the device reaches host memory: copied to a mapped buffer and out of it.";
    /// Reading back 4 bytes.
    ReadbackLatency: "readback of 4 bytes", Ns, 1e9,
        "How long the host waits for a single number from the device: what looking at the loss in every step would cost.";
}

impl PeakKind {
    /// What a reader should know about it.
    pub fn facts(self) -> &'static PeakFacts {
        &PEAK_FACTS[self as usize]
    }

    /// The unit of its figures.
    pub fn unit(self) -> Unit {
        self.facts().unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_in_the_order_of_the_kinds() {
        for (index, facts) in PEAK_FACTS.iter().enumerate() {
            assert_eq!(facts.kind as usize, index, "{}", facts.name);
            assert!(facts.sentence.ends_with('.') && facts.plausible[0] < facts.plausible[1], "{}", facts.name);
        }
    }
}
