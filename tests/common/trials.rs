//! Trials that depend on what this machine has: what it lacks shows as ignored, never as passed.

use gpubench::gpu::{AdapterInfo, Adapters};
use libtest_mimic::{Failed, Trial};
use std::sync::Arc;

/// What a trial comes to.
pub type Outcome = Result<(), Failed>;

/// A name and what is tested.
pub type Test = (&'static str, fn());

/// A name and what is tested on the adapter of an index.
pub type AdapterTest = (&'static str, fn(&Adapters, usize) -> Outcome);

/// Every adapter of this machine.
pub fn adapters() -> Adapters {
    pollster::block_on(Adapters::find(None)).expect("all backends can be asked")
}

/// The index of every adapter, and where tests on it run.
fn places(adapters: &Adapters) -> impl Iterator<Item = (usize, String)> {
    let place = |info: &AdapterInfo| format!("on {} ({})", info.name, info.backend);
    adapters.infos().iter().map(place).enumerate()
}

/// A trial of each test; ignored where there is no adapter.
pub fn with_adapter(adapters: &Adapters, tests: &[Test]) -> Vec<Trial> {
    let missing = adapters.infos().is_empty();
    let trial = |&(name, test): &Test| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(missing)
    };
    tests.iter().map(trial).collect()
}

/// For each adapter a trial of each test that `tests` makes for its index, named after it; where there is no adapter,
/// ignored trials called `names`.
pub fn on_each<'a, R>(
    adapters: &Adapters,
    names: impl IntoIterator<Item = &'a str>,
    tests: impl Fn(usize) -> Vec<(String, R)>,
) -> Vec<Trial>
where
    R: FnOnce() -> Outcome + Send + 'static,
{
    if adapters.infos().is_empty() {
        let ignored = |name| Trial::test(format!("{name} (no adapter here)"), || Ok(())).with_ignored_flag(true);
        return names.into_iter().map(ignored).collect();
    }
    let named = |(index, place): (usize, String)| {
        let trial = move |(name, run)| Trial::test(format!("{name} {place}"), run);
        tests(index).into_iter().map(trial).collect::<Vec<_>>()
    };
    places(adapters).flat_map(named).collect()
}

/// The same for `tests` that want the adapters and the index of one.
pub fn with_each(adapters: &Arc<Adapters>, tests: &[AdapterTest]) -> Vec<Trial> {
    let of_one = |index: usize| {
        let test = |&(name, test): &AdapterTest| {
            let adapters = adapters.clone();
            (name.to_owned(), move || test(&adapters, index))
        };
        tests.iter().map(test).collect()
    };
    on_each(adapters, tests.iter().map(|(name, _)| *name), of_one)
}

/// The trials, those of plans that need a feature ignored on adapters without it.
pub fn ignored_without_features(trials: Vec<Trial>, adapters: &Adapters) -> Vec<Trial> {
    let lacks = |name: &str, info: &AdapterInfo| {
        let lacking = [("fused_subgroups", !info.subgroups), ("fused_f16_arithmetic", !adapters.offers_f16(info))];
        name.contains(&info.name) && lacking.iter().any(|&(plan, lacks)| lacks && name.contains(plan))
    };
    let ignored = |trial: Trial| {
        let lacks = adapters.infos().iter().any(|info| lacks(trial.name(), info));
        if lacks { trial.with_ignored_flag(true) } else { trial }
    };
    trials.into_iter().map(ignored).collect()
}
