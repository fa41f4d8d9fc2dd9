//! Reasons for a missing part of a result although nothing failed, one row for each.

use super::measured::Measured;

macro_rules! reasons {
    ($($name:ident: $reason:literal;)*) => {
        $(
            #[doc = concat!("A value that is missing because: ", $reason, ".")]
            pub fn $name<T>() -> Measured<T> {
                Measured::missing($reason)
            }
        )*
    };
}

reasons! {
    kept_whole: "every epoch and every sample is kept";
    no_account: "it rests on a profile; `gpubench profile` or --profile takes one";
    no_device_time_factor: "device times are the profile's own";
    no_gpu_busy: "this program's own figure rests on a profile; `gpubench profile` or --profile takes one";
    no_peaks: "not asked for; `gpubench peaks`, `gpubench profile` or --profile measures them";
    no_soak: "not asked for; --soak makes one";
    no_sweep: "not asked for; `gpubench sweep` makes one";
    no_tuning: "the plan was named, or is the one shipped for this adapter";
    not_in_this_run: "this run had no such phase";
    not_in_turns: "it took no turns with another; `gpubench ab` makes results that do";
    not_parallel: "one device trained";
    not_profiled: "not asked for; `gpubench profile` or --profile takes one";
    not_reached: "the run has not come this far";
    not_recorded: "not recorded by the version that made this file";
    one_process: "one process trained";
    unfinished: "the training did not come to its end";
}
