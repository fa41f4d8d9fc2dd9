//! The figures of trainings, of the load, of the phases of a run, and of sweeps, soaks and several devices.

use super::entry::{Figure, figures};

/// Epochs and steps.
pub(super) const TRAINING: &[Figure] = figures! {
    "training" [],
        "The number of a timed training of this run; all begin with the same seed.",
        "In the order of the run.",
        "All alike: they end with the same parameters, or the run is INVALID.";
    "epoch" [],
        "One pass over the 60,000 training images, in a new order each time: 469 steps.",
        "Counted from 1; a part of an epoch is named as such.",
        "10 in the standard task.";
    "work" [],
        "What the training did: whole epochs, or steps of an epoch.",
        "Counted by the trainer.",
        "10 epochs; times of other work are not compared.";
    "steps" [],
        "Updates of the parameters, each from a batch of 128 images (96 in the last one of an epoch).",
        "Counted by the trainer.",
        "4,690 in the standard task.";
    "step time" ["samples"],
        "Seconds from one training step to the next, as the host sees it.",
        "Several steps are submitted together, so a sample is the time between the ends of successive submissions, \
         divided by their steps.",
        "One narrow peak. A second one, or a long tail, shows interruptions, throttling or late compilation.";
    "loss" ["training loss", "train_loss"],
        "Mean softmax cross-entropy of the training images at the time when they were trained on, with dropout.",
        "On the device, over successive parts of an epoch.",
        "Falling, to below 0.05 at the end of the standard task.";
    "test loss" ["test_loss"],
        "Mean softmax cross-entropy of the test images.",
        "After each epoch, with dropout off, while the clock stands.",
        "Falling, to about 0.03 at the end of the standard task. Rising again, the network overfits.";
    "train error" ["training error", "train_error_pct"],
        "Share of the training images that were misclassified when they were trained on, in percent.",
        "Over an epoch, with dropout, before each update.",
        "Falling. It is above the test error, as dropout is on and the network still learns during the epoch.";
};

/// What a training used of the machine.
pub(super) const LOAD: &[Figure] = figures! {
    "GPU %" ["gpu_busy_pct", "GPU busy", "utilisation"],
        "Share of the training in which kernels were at work.",
        "By the time account, which needs a profile; as published for the rows of 2016-17.",
        "Near 100: the host keeps the device busy.";
    "GPU % (driver)" ["driver_gpu_busy_pct"],
        "Share of the time in which the device was busy, as its driver reports it.",
        "NVML or Linux's sysfs, at most ten readings a second. Drivers average over 0.2 to 1 s.",
        "Near 100. A device with one busy unit counts as busy, so it says little about its use.";
    "CPUs" ["cpus_used", "load"],
        "Mean number of the host's cores that this process used.",
        "CPU time of all its threads divided by the seconds of the clock.",
        "About 1 with a GPU; all cores with a training on the CPU.";
    "busiest CPU %" ["busiest_cpu_pct"],
        "Load of the machine's busiest core, by any process.",
        "From the system's counters, over the seconds of the clock.",
        "Below 100 with a GPU: at 100 one core may hold the device up.";
    "power" ["power_w", "watts"],
        "Mean power of the device during the training.",
        "NVML, sysfs or RAPL, at most ten readings a second.",
        "Lower for the same time.";
    "net energy" ["net_j", "net_j_per_1000_images", "energy", "joules"],
        "Energy of the training beyond what the idle device would have used.",
        "Growth of the device's energy counter, or its mean power, over the clock, less the idle power over the same \
         time, measured for 1.5 s before.",
        "Lower. J for 1,000 images compares devices of any speed.";
    "throttled" ["throttling", "throttled %"],
        "Share of the readings in which the device had lowered its clocks, for heat or power.",
        "The reasons that the driver reports.",
        "0. Otherwise a cooler device would be faster.";
    "memory" ["peak_host_memory_bytes", "device_buffer_bytes"],
        "Largest memory of the process on the host; buffers of the training on the device.",
        "Resident memory by the system; the sizes of all created buffers.",
        "Far below what the machine has.";
    "other programs" ["other_cpus"],
        "Cores that other programs used during a training, or that a hypervisor took away.",
        "The busy and stolen time of all cores by the system, without that of this program.",
        "Below 0.15 where the cores train; a GPU needs one core for itself.";
    "sampling" ["readings"],
        "What reading the sensors cost.",
        "CPU time of the thread that reads them.",
        "Below 1 % of one core.";
    "repeating" ["stopping rule"],
        "How many trainings were made, and why no more.",
        "By --repeat, --target-ci and --max-time.",
        "Ended by its target, not by its time.";
};

/// Parts of a run. The names of phases that are those of figures too end in "phase".
pub(super) const PHASES: &[Figure] = figures! {
    "phase" ["phases", "of the cold total"],
        "A part of the run, in seconds; no phase contains another, except for upload and the cold total.",
        "By the host's clock.",
        "Short; only train is the time of the task.";
    "seconds" [],
        "Seconds of what the row names.", "By the host's clock.", "Lower.";
    "adapter phase" ["adapter_s"],
        "Finding the adapters and choosing one.", "Loader and drivers start here.", "Below 1 s.";
    "device phase" ["device_s"],
        "Opening the device.", "From the request to the device and its queue.", "Below 1 s.";
    "compile phase" ["compile", "compile_s"],
        "Compiling shaders and building pipelines.",
        "Until the API has them; drivers may go on compiling when a kernel first runs.",
        "Seconds at first, less with a warm cache.";
    "data phase" ["data", "data_s"],
        "Reading MNIST, or drawing synthetic digits.", "Until the images are in host memory.", "Below 1 s.";
    "tune phase" ["tune", "tune_s"],
        "Searching for the fastest plan, or reading it from the cache.",
        "Once for an adapter, driver and version; --no-tune leaves it out.", "0 from the second run on.";
    "peaks phase" ["peaks", "peaks_s"],
        "Measuring the adapter's peaks, or reading them from the cache.",
        "Only where a profile needs them.", "0 from the second run on.";
    "first step" ["first_step_s"],
        "The first training step of the check, in which drivers may compile again.",
        "Until its loss is on the host.", "Close to a later step.";
    "check phase" ["check_s"],
        "Comparing kernels and training steps with the reference, without the first step.",
        "Mostly the reference, which computes in 64 bits on the host.", "A few seconds.";
    "warm-up" ["warm_up_s"],
        "The first and the last batch of an epoch and of an evaluation, in the memory of the trainings, before any \
         clock: drivers compile and clocks rise.",
        "At least once, and for at least 0.3 s.", "Below 1 s.";
    "idle power" ["idle_s", "idle_w"],
        "Measuring the power of the opened device without work.", "For 1.5 s, where a sensor tells it.", "1.5 s.";
    "upload" ["upload_s", "upload (part of train)"],
        "Copying the images to the device: a part of the training's time.",
        "Until the copy is submitted.", "Far below the time of an epoch.";
    "evaluate" ["evaluate_s"],
        "Evaluation on the test images after each epoch, while the clock of the training stands.",
        "Forward passes of 10,000 images.", "A few percent of the training.";
    "cold total" ["cold_total_s"],
        "Everything from the start of the program to the end of the first training.",
        "The clock of the process.",
        "Close to the time of the training. For short jobs it matters more than that.";
};

/// Sweeps, soaks and data-parallel training.
pub(super) const SEARCHES: &[Figure] = figures! {
    "batch" ["batch size"],
        "Images of one training step.", "From the settings; 128 in the standard task.",
        "Large enough to be beyond the overhead of a step: `gpubench sweep` tells.";
    "width" [],
        "Factor on the numbers of channels and hidden units in a sweep.", "From --width.", "1 in the standard task.";
    "parameters" [],
        "Number of trained values of the network.", "From its layers.", "65,402 in the standard task.";
    "us/image" ["image_s"],
        "Time of an image in a step of this size.", "Step time divided by the batch.",
        "Falling with the batch until the device is full.";
    "overhead" ["overhead_s"],
        "Time of a step without any work, by the line through the step times of a sweep.",
        "Least squares of relative distances: step time = overhead + work / rate.",
        "Far below the time of a step of 128 images.";
    "asymptotic rate" ["asymptotic_gflop_per_s", "half of it at", "half_rate_at"],
        "The rate that ever larger steps approach; half of it is reached at the size that is named.",
        "The slope of that line.",
        "Reached at small batches.";
    "drift" ["drift_pct_per_hour", "soak"],
        "How much slower the epochs of a soak become, in percent an hour; withheld where its standard error is larger.",
        "Slope of the least-squares line through all epochs but the first.",
        "Near 0. Above, the device heats up and lowers its clocks.";
    "best and worst epoch" ["best_s", "worst_s", "fastest epoch", "slowest epoch"],
        "The fastest and the slowest epoch of a soak; the first one is not counted as the slowest.",
        "By the clock of the training.",
        "Close together.";
    "images a batch" ["images_per_batch"],
        "This device's part of each batch in a data-parallel training.", "From --split.",
        "In proportion to the speeds of the devices.";
    "alone" ["alone_step_s"],
        "Time of a step of a whole batch on this device alone.", "Just before the training.",
        "Alike for all devices, or a --split in proportion.";
    "MPI rank" [],
        "The number of one of the processes that `mpirun` or `srun` started to train together.",
        "From 0, which reports.",
        "One for each device.";
    "node" ["host name"],
        "Name of the machine on which a rank ran.", "As the MPI library tells it.", "Alike machines.";
    "trains on" [],
        "What a rank trained on.", "By --adapters, --adapter, or the number of the rank on its host.",
        "One for each rank.";
    "step of a rank" ["step_s"],
        "Time of a mean step of the last timed training on a rank, of which computing, waiting, exchange and updating are parts.",
        "By the rank's clock; shuffling, uploads and reports are its rest.",
        "Alike on all ranks, which take every step together.";
    "computing" ["compute_s"],
        "Time of a mean step in which the rank's devices computed the gradients of their part.",
        "Encoding, submission and waiting for the devices, by the host's clock.",
        "Alike on all ranks, and nearly the whole step.";
    "waiting" ["wait_s", "imbalance"],
        "Time of a mean step in which a rank had its gradients ready and waited for those of slower ranks.",
        "Time in the sum over all ranks, beyond that of the rank that came last to it and waited for nobody.",
        "Near 0; otherwise a --split in proportion to the speeds.";
    "updating" ["update_s"],
        "Time of a mean step in which gradients and parameters went between a rank's devices and its host, which updated them.",
        "Intervals of the host's clock.",
        "Near 0.";
    "scaling" ["scaling_efficiency_pct", "efficiency", "scaling efficiency"],
        "Speed of all devices together, divided by the sum of what each reaches alone.",
        "From the times alone, measured just before, and the time together.",
        "Near 100 %.";
    "exchange" ["exchange_pct", "exchange_s"],
        "Share of the time in which gradients or parameters went between devices, or between ranks.",
        "Intervals of the host's clock in the last timed training; of the sum over all ranks what it took the last rank.",
        "Near 0.";
};
