//! The figures of a result and of the tables with the published results.

use super::entry::{Figure, figures};

/// What a reader asks first.
pub(super) const RESULT: &[Figure] = figures! {
    "time" ["train", "train_s", "training time"],
        "Seconds of training: of the whole task, or of the epoch or part that a row names.",
        "From the first command after the data are in host memory until the last epoch's results are on the host: \
         upload, shuffling and every submission included; start, compilation, check and evaluation not. Of several \
         trainings the median.",
        "Lower. The published tools took 20 to 130 s on GPUs of 2016-17.";
    "images/s" ["images per s", "images_per_s", "speed", "throughput"],
        "Training images processed in a second, forward, backward and update included.",
        "The images of all steps divided by the time of the training; the median where trainings ended at different \
         steps.",
        "Higher. 600,000 images make the task: 30,000 images/s is 20 s.";
    "spread" ["train_mad_s", "MAD", "deviation", "spread %"],
        "How much the trainings (or samples) of a figure differ: half of them lie within this distance of the median.",
        "Median absolute deviation, not scaled: 0.67 standard deviations for a normal distribution. One training has \
         none: --repeat N makes more.",
        "Below 1 % of the figure. From 5 % on, something else uses the machine, or clocks change with heat.";
    "interval" ["train_interval", "95 % interval", "confidence interval"],
        "Range in which the true median lies with at least 95 % probability, whatever the distribution.",
        "A pair of order statistics of the trainings' times; it takes 6 trainings or more (--repeat 6, --target-ci).",
        "Narrow, and apart from the interval of what it is compared with.";
    "time to 1 %" ["time to 1 % [s]", "time_to_1pct_error_s"],
        "Seconds of training until the error rate on the test images was at most 1.0 % for the first time.",
        "The times of the epochs, added up to the first after which the evaluation gave 1.0 % or less.",
        "Short; a tool may be fast for an epoch and need more of them.";
    "energy to 1 %" ["energy to 1 % [J]", "energy_to_1pct_error_j"],
        "Energy of the training until then, in joules.",
        "The measured energy of the whole training, in proportion to the time.",
        "Low, at the same error.";
    "error" ["test error", "test error %", "error_pct", "test_error_pct", "error rate"],
        "Share of the 10,000 test images whose largest output is not their label, in percent.",
        "After the last epoch, with dropout off; the median of the trainings.",
        "0.7 to 1.0 %, as the published tools. A standard run outside 0.4 to 1.5 % is INVALID. On synthetic digits it \
         says nothing about MNIST.";
    "check" ["correctness check"],
        "Whether every kernel and five training steps compute what a plain 64-bit reference computes.",
        "On the opened device before anything is timed: |device - reference| <= absolute + relative |reference|, with \
         one row of tolerances for each kernel.",
        "Passed. A device that fails gets no time: the run ends with exit code 5.";
    "share of peak" ["% of peak", "of peak", "peak_flop_pct", "peak_bandwidth_pct", "share of measured peak"],
        "Rate that is reached, as a share of the highest rate of this adapter through this API: of arithmetic beside \
         GFLOP/s, of bandwidth beside GB/s.",
        "FLOP and bytes by the model's count, divided by the median time and by the measured peak. For a whole \
         training the mean over its kernels, weighted by their time.",
        "Near 100 %: the device can do no better. From 60 % on a kernel counts as near its roof; above 110 % \
         the measurement is wrong and the report says so.";
    "verdict" ["bound", "bottleneck"],
        "What takes most of the time of the training: compute, bandwidth, device (kernels below both roofs), launch, \
         or the host.",
        "From the time account and the profile; withheld where they disagree by more than 5 % of the training.",
        "Compute or bandwidth: the device works near its limit. Launch or host: a faster device would change little.";
    "dense GFLOP/s" ["dense_gflop_per_s", "GFLOP/s (dense)"],
        "Arithmetic of the whole training in 10^9 operations a second, counted as the peers count it.",
        "2,202,496 multiply-adds an image, two operations each, divided by the time. Max pools make 44 % of it \
         unnecessary, so it compares runs and is not a share of a peak.",
        "Higher.";
    "plan" [],
        "The list of kernels that performs a training step: layered (one kernel for each layer and pass), fused, \
         fused_subgroups, fused_image, fused_f16, fused_f16_arithmetic or fused_lanes.",
        "The fastest that `gpubench tune` found for the adapter, or the one that --plan names.",
        "The fastest: all but those in 16 bits, which are labelled, compute the same and pass the same check.";
    "place" ["rank", "place among the published results"],
        "Where the time stands among the single runs that szilard/benchm-dl published in 2016-17.",
        "By the time of the same amount of work. A run that did other work, or is stamped, has no place.",
        "An order of magnitude, not a contest: the tools differed in initialisation, decay and loss.";
    "status" ["stamp", "standard"],
        "How the run ended: complete, PARTIAL (interrupted), FAILED (an error) or INVALID (its figures must not be \
         used); and non-standard if it trained anything but the pinned task.",
        "INVALID follows from a test error out of range, a loss that is not finite, or trainings with the same seed \
         that end with different parameters.",
        "Complete and standard; only such results stand in the tables.";
    "warning" ["warnings"],
        "Something that a reader of the figures should know, such as a software adapter or a hidden tab.",
        "Recorded during the run.",
        "No warning.";
};

/// Columns of the tables with the published results.
pub(super) const TABLES: &[Figure] = figures! {
    "device" ["adapter"],
        "What trained: a GPU, a software adapter, the host's cores (CPU), or several devices together.",
        "The adapter's name as its driver reports it; the processor and its cores where it computes on the CPU.",
        "A device of the name that you expect; `gpubench list` shows all.";
    "tool" ["framework", "program"],
        "What trained: gpubench with its version and plan, or a published tool.",
        "From the result, or from the published table.",
        "Compare versions of gpubench by their release builds: others are marked.";
    "devices" ["device_count"],
        "Number of GPUs that trained together.",
        "Counted from the result; as published for the rows of 2016-17.",
        "1 unless several devices share each batch.";
    "threads" ["cores"],
        "Threads of a training on the host's cores; the published number of cores for rows of 2016-17.",
        "From the setting --threads; software adapters choose their own.",
        "As many as the machine has cores.";
    "runs" ["trainings", "repeats"],
        "Number of timed trainings, of which time and error are the medians.",
        "Counted over all results of the row.",
        "6 or more, which give an interval; the published rows are single runs.";
    "vs best" ["ratio_to_best", "vs fastest"],
        "Time divided by the best time of this table.",
        "From the medians; only rows that did the same work take part.",
        "1.00 is the best row; 2.00 took twice as long.";
    "vs TF" ["ratio_to_tensorflow"],
        "Time divided by that of Keras (tensorflow) on the same device; of gpubench on a GPU by its shortest on a GPU, \
         on a CPU by its shortest on a CPU.",
        "From the published time; the report names the row.",
        "Below 1.";
    "vs K80" ["ratio_to_first_generation"],
        "Time divided by that of the same tool on a Tesla K80.",
        "From the published times of the tool, or from a result of gpubench on a K80.",
        "Below 1: what newer generations of GPUs bring.";
    "vs 2016-17" ["ratio_to_2016"],
        "Time divided by the published one of the same tool on the nearest device.",
        "From the published times: of the same kind of device where there is one, else of the oldest GPU.",
        "Below 1: what devices and tools have gained.";
    "from" ["source"],
        "Where the row comes from: a result file, the date of a run, or the publication of 2016-17.",
        "From the names of the files.",
        "A file that others can open.";
};

/// What comparisons say, and what a result file says of itself.
pub(super) const COMPARISON: &[Figure] = figures! {
    "ratio" ["time ratio", "times as long"],
        "How many times as long the other result takes.",
        "The median of all ratios of a time of one to a time of the other (Hodges and Lehmann).",
        "Below 1: the other is faster. Within the margin of 1 the two are the same.";
    "ratio interval" ["interval of the ratio"],
        "Range in which the true ratio lies with at least 95 % probability.",
        "All ratios that the Mann–Whitney test at 5 % does not refuse; it takes 6 times of each side.",
        "Narrower than the difference that matters: more trainings (--repeat) make it so.";
    "comparison verdict" ["faster", "slower", "same", "unclear"],
        "Whether a time is faster, slower or the same beside another, or whether the samples cannot say.",
        "Faster or slower: the interval lies beyond 1 and p, corrected over all figures, is below 0.05. Same: the whole \
         interval lies within the margin. All else is unclear, and the reason says what to type.",
        "Any but unclear.";
    "margin" [],
        "The difference that counts as none.",
        "Given with --margin, else 2 %: a ratio from 1 / 1.02 to 1.02 is the same time.",
        "As large as a difference that nobody would act on, and no smaller than the samples can show.";
    "digest" ["seal", "checksum"],
        "SHA-256 of the rest of the result file, which shows that it is as it was written.",
        "Over every character but white space between values. `gpubench verify` computes it again.",
        "Intact. Broken, the file was changed by accident or by hand; a forger could compute it anew.";
};
