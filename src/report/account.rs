//! The time account of a training.

use super::numbers::{fixed, or_reason, three_digits};
use super::table::{grid, list};
use crate::result::{Account, RunResult};

/// What each part means, in the order of [`Account::parts`].
pub(super) const MEANINGS: [&str; 6] = [
    "at work, by the profile",
    "by the profile; negative where kernels overlap",
    "by the host, while the device had nothing to do",
    "while the device had nothing to do",
    "the device, for anything else the host did",
    "unexplained",
];

/// The account as a table with its verdict, or why there is none; nothing where nobody asked for a profile.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    if result.profile.value().is_none() {
        return String::new();
    }
    let title = "Where the time of the training went";
    let Some(account) = result.account.value() else {
        return format!("{title}\n\n{}", list([vec![or_reason(&result.account, |_| String::new())]], width));
    };
    let share = |seconds: f64| fixed(100.0 * seconds / account.wall_s, 1);
    let mut rows: Vec<Vec<String>> = account
        .parts()
        .iter()
        .zip(MEANINGS)
        .map(|((name, seconds), meaning)| {
            vec![(*name).to_owned(), meaning.to_owned(), three_digits(*seconds), share(*seconds)]
        })
        .collect();
    rows.push(vec![
        "training".to_owned(),
        format!("{} steps", account.steps),
        three_digits(account.wall_s),
        share(account.wall_s),
    ]);
    let table = grid(&["part", "", "time [s]", "%"], rows, 2, 2, width);
    let mut facts = vec![("verdict", account.verdict.words.clone()), ("host", host(account))];
    if let Some(factor) = account.device_time_factor.value() {
        facts.push(("device times", device_times(*factor)));
    }
    let facts = list(facts.into_iter().map(|(name, text)| vec![name.to_owned(), text]), width);
    format!("{title}\n\n{table}\n\n{facts}")
}

/// What the profile's device times were multiplied by.
pub(super) fn device_times(factor: f64) -> String {
    format!(
        "those of the profile x {}: a step took so many times as long in the training as beside the profile, on the same processor",
        three_digits(factor)
    )
}

/// What the host did, hidden behind the device or not.
fn host(account: &Account) -> String {
    let host = &account.host;
    let of = [
        ("waiting for the device", host.wait_s),
        ("encoding", host.encode_s),
        ("submitting", host.submit_s),
        ("copying to the device", host.upload_s),
        ("reading back", host.readback_s),
        ("making buffers", host.prepare_s),
        ("shuffling", host.shuffle_s),
        ("anything else", host.other_s),
    ];
    let parts: Vec<String> = of.iter().map(|(name, seconds)| format!("{name} {} s", three_digits(*seconds))).collect();
    // A driver that returns from a submission once it is executed would make its time look like the host's.
    let synchronous = if host.submit_s > host.wait_s && host.submit_s > account.encode_submit_s {
        "; this driver executes commands before it returns from taking them"
    } else {
        ""
    };
    let per_step_us = 1e6 * host.encode_s / f64::from(account.steps.max(1));
    format!("{}; {} us of encoding a step{synchronous}", parts.join(", "), three_digits(per_step_us))
}
