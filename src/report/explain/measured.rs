//! The figures of profiles, time accounts and peaks.

use super::entry::{Figure, figures};

/// Where the wall time of a training went.
pub(super) const ACCOUNT: &[Figure] = figures! {
    "time account" ["account", "part", "wall time", "% of the wall"],
        "The wall time of the last timed training, divided into parts that add up to it.",
        "Kernels and gaps are the profile's device times of a step, times the steps; the other parts are intervals of \
         the host in the timed training, without what happens while the device is busy.",
        "A rest below 5 %, and most of the time in kernels.";
    "kernels" ["kernels_s", "kernel time"],
        "Part of the time account: kernels at work on the device.",
        "The sum of the kernels' median times in a step, times the steps.",
        "Above 90 % of the time: the host keeps the device busy.";
    "gaps between kernels" ["gaps", "gaps_s"],
        "Part of the time account: the device between two kernels, for barriers and launches. Negative where kernels \
         overlap.",
        "The device time of a step without timestamps inside, less its kernels, times the steps.",
        "Below 10 %. Fewer, larger kernels (plan fused) make fewer gaps.";
    "encoding and submission" ["encode_submit_s", "encoding", "submission"],
        "Part of the time account: the host writes down and submits commands while the device has nothing to do.",
        "Intervals of the host's clock in the timed training; what overlaps with the device's work is left out.",
        "Near 0: three submissions are in flight to hide it.";
    "upload and readback" ["transfer_s", "transfers"],
        "Part of the time account: data and results move between host and device while it has nothing to do.",
        "Intervals of the host's clock in the timed training.",
        "Near 0: 47 MB of images go up once, a few numbers come back each epoch.";
    "waiting on the host" ["host_s", "host"],
        "Part of the time account: the device waits for other work of the host, such as making buffers or shuffling.",
        "Intervals of the host's clock in the timed training.",
        "Near 0.";
    "rest" ["rest_s", "unexplained"],
        "Part of the time account: what no other part explains. Negative if the parts exceed the whole.",
        "Wall time less the other parts.",
        "Within 5 % of 0; beyond, no verdict is given.";
    "seconds of the host" ["the host", "host times"],
        "What the host did in all, whether the device worked meanwhile or not.",
        "Intervals of the host's clock; they add up to the wall time.",
        "Mostly waiting for the device.";
    "device time factor" ["device_time_factor", "device times"],
        "Factor on the profile's device times where the device is the host's own processor.",
        "Time of a step in the training divided by its time beside the profile, on the host's clock.",
        "Near 1: the machine was as busy in the profile as in the training.";
};

/// Columns of a profile.
pub(super) const PROFILE: &[Figure] = figures! {
    "profile" ["method"],
        "The device time of each kernel in a training step.",
        "50 further steps on a device of its own, with a timestamp before and after each dispatch. The timed training \
         takes none.",
        "A step with timestamps that takes about as long as one without: the report shows both.";
    "kernel" [],
        "A compute shader: one WGSL file, one formula of the network. ×2 says that a step calls it twice.",
        "By the name of its file and entry point.",
        "Few kernels with most of the time are where work on speed begins.";
    "layer" [],
        "The layer of the network that the kernel computes.",
        "From the plan.",
        "In this network the convolutions cost the most.";
    "number" ["#"],
        "Rank of the kernel by time, 1 being the longest; its mark in the roofline has this number.",
        "By the median time of its calls in a step.",
        "It only names the kernel.";
    "calls" ["calls_per_step", "dispatches"],
        "Dispatches of the kernel in a step.",
        "Counted from the plan.",
        "1: every dispatch costs a launch.";
    "time of a step" ["timed_step_s", "step"],
        "Time of the kernel's calls in one training step, or of the step as a whole.",
        "The median over the profiled steps; the thin line reaches to the 95th percentile.",
        "Lower.";
    "median" ["median_ns"],
        "The middle of the samples: half of them are below it.",
        "Of a kernel the device time of one call over the profiled steps; of a peak the rate or time over its samples.",
        "Lower for times, higher for rates.";
    "p95" ["p95_ns", "95th percentile"],
        "95 of 100 calls of the kernel take at most this long.",
        "95th percentile of its samples, interpolated between order statistics.",
        "Close to the median. Far above it, other work or changing clocks disturb the device.";
    "share" ["share_pct", "share of the time"],
        "The kernel's part of the sum of all kernels' medians.",
        "Calls times median time, divided by that sum.",
        "Neither high nor low: it says where a faster kernel would pay.";
    "GFLOP/s" ["gflop_per_s"],
        "10^9 floating-point operations a second of the kernel.",
        "Operations by its formula, two for a multiply-add, divided by its median time.",
        "Near the measured peak of arithmetic if that is its roof.";
    "GB/s" ["gbyte_per_s", "bandwidth"],
        "10^9 bytes a second that the kernel has to move.",
        "Each value that it needs read once and each that it sets written once, divided by its median time.",
        "Near the measured peak bandwidth if that is its roof.";
    "FLOP/byte" ["arithmetic intensity", "intensity"],
        "Operations of the kernel for each byte that it has to move.",
        "By its formula: FLOP divided by bytes.",
        "Neither high nor low: left of the ridge of the roofline memory limits the kernel, right of it arithmetic.";
    "roof" ["roofline", "roofs"],
        "What limits the kernel first: compute, memory or launch. Beside it stands how much of that it reaches.",
        "The largest of three times: its FLOP at the peak rate, its bytes at the peak bandwidth for its working set, \
         an empty dependent dispatch.",
        "A kernel near its roof can only become faster by doing less.";
    "clock" ["clock_step_ns", "clock step"],
        "The smallest difference between two of the device's timestamps.",
        "From the samples; kernels too short for it are repeated until they last 20 such steps.",
        "Below 1 us. Browsers round to 65 or 100 us.";
    "commands" ["submissions", "timestamps"],
        "Dispatches, submissions and timestamps of the timed training.",
        "Counted where they are handed to the API.",
        "No timestamps in a timed training.";
};

/// What all peaks share; their kinds follow from the table of kinds.
pub(super) const PEAKS: &[Figure] = figures! {
    "measured peaks" ["figure", "peak", "ceilings"],
        "The highest rates and lowest times of the adapter through this API.",
        "Just before the profile, or kept from an earlier measurement of the same adapter, driver and version; each \
         kernel's output is checked exactly first.",
        "On an idle machine: other work lowers peaks, which raises shares of peak.";
    "working set" ["bytes"],
        "Bytes that a measurement of bandwidth goes over again and again.",
        "Chosen from 256 KiB, which caches hold, to 256 MiB, which comes from memory.",
        "Neither large nor small: it says which memory the bandwidth is of.";
    "unit" [],
        "The unit of the figure: GFLOP/s are 10^9 operations, GB/s 10^9 bytes a second.",
        "Chosen by the size of the figure.",
        "It only names the scale.";
};
