//! The time account of a training.

use super::layout::{Facts, Table, facts, joined, paragraph};
use super::numbers::{fixed, or_reason, three_digits};
use crate::result::{Account, RunResult};

/// What each part means, in the order of [`Account::parts`].
const MEANINGS: [&str; 6] = [
    "at work, by the profile",
    "by the profile; negative where kernels overlap",
    "by the host, while the device had nothing to do",
    "while the device had nothing to do",
    "the device, for anything else the host did",
    "unexplained",
];

/// The account with its verdict, or why there is none; nothing without a profile.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    if result.profile.value().is_none() {
        return String::new();
    }
    let title = "Where the time of the training went".to_owned();
    match result.account.value() {
        None => joined([title, paragraph(or_reason(&result.account, |_| String::new()), width)]),
        Some(account) => joined([title, table(account).grid(2, width), facts(verdict(result, account), width)]),
    }
}

fn table(account: &Account) -> Table {
    let row = |name: &str, meaning: String, seconds: f64| {
        vec![name.to_owned(), meaning, three_digits(seconds), fixed(100.0 * seconds / account.wall_s, 1)]
    };
    let parts = account.parts().into_iter().zip(MEANINGS);
    let mut rows: Vec<_> = parts.map(|((name, seconds), meaning)| row(name, meaning.to_owned(), seconds)).collect();
    rows.push(row("training", format!("{} steps", account.steps), account.wall_s));
    Table::of(&["part", "", "time [s]", "%"], 2, rows, |cells, _| cells)
}

/// What limits the training, or why nothing is said about it.
pub(super) fn verdict_words(result: &RunResult, account: &Account) -> String {
    let verdict = account.judge(result.profile.value(), result.peaks.value());
    or_reason(&verdict, |verdict| verdict.words.clone())
}

fn verdict(result: &RunResult, account: &Account) -> Facts {
    let mut facts = vec![("verdict", verdict_words(result, account)), ("host", host(account))];
    facts.extend(device_times(account).map(|text| ("device times", text)));
    facts
}

/// The factor on the profile's device times, where there is one.
pub(super) fn device_times(account: &Account) -> Option<String> {
    let factor = three_digits(*account.device_time_factor.value()?);
    Some(format!(
        "those of the profile x {factor}: the time of a step in the training divided by that beside the profile, on \
         the same processor"
    ))
}

/// Seconds of each activity of the host, whether the device was busy meanwhile or not.
pub(super) fn host_times(account: &Account) -> [(&'static str, f64); 8] {
    let host = &account.host;
    [
        ("waiting for the device", host.wait_s),
        ("encoding", host.encode_s),
        ("submitting", host.submit_s),
        ("copying to the device", host.upload_s),
        ("reading back", host.readback_s),
        ("making buffers", host.prepare_s),
        ("shuffling", host.shuffle_s),
        ("anything else", host.other_s),
    ]
}

fn host(account: &Account) -> String {
    let host = &account.host;
    let parts = host_times(account).map(|(name, seconds)| format!("{name} {} s", three_digits(seconds)));
    // Submission looks like work of the host if the driver returns from it only after execution.
    let synchronous = if host.submit_s > host.wait_s && host.submit_s > account.encode_submit_s {
        "; this driver executes commands before submission returns"
    } else {
        ""
    };
    let per_step_us = 1e6 * host.encode_s / f64::from(account.steps.max(1));
    format!("{}; {} us of encoding a step{synchronous}", parts.join(", "), three_digits(per_step_us))
}

#[cfg(test)]
mod tests {
    use crate::report::explain;
    use crate::result::{Account, HostTimes, Measured};

    #[test]
    fn every_part_is_explained() {
        let account = Account {
            wall_s: 6.0,
            steps: 1,
            kernels_s: 1.0,
            gaps_s: 1.0,
            encode_submit_s: 1.0,
            transfer_s: 1.0,
            host_s: 1.0,
            rest_s: 1.0,
            device_time_factor: Measured::missing("made up"),
            host: HostTimes::default(),
            verdict: Measured::missing("made up"),
        };
        for (name, _) in account.parts() {
            assert!(explain::figure(name).is_some(), "{name}");
        }
    }
}
