//! The real MNIST files, where there are some: in `GPUBENCH_TEST_MNIST`, else in `../shared/data/mnist`.
//!
//! Where there are none the tests show as ignored, which the standard harness cannot decide while running.

use std::path::{Path, PathBuf};

use gpubench::cli::data::{State, verify};
use gpubench::cli::dataset::{DataSource, Places, load_folder, load_from};
use gpubench::data::{Dataset, Identity};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let folder = std::env::var_os("GPUBENCH_TEST_MNIST")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mnist"), PathBuf::from);
    let absent = !folder.is_dir();
    let trial = |name: &str, test: fn(&Path) -> Result<(), Failed>| {
        let folder = folder.clone();
        Trial::test(name, move || test(&folder)).with_ignored_flag(absent)
    };
    let tests = vec![
        trial("mnist_loads_and_is_recognised", mnist_loads_and_is_recognised),
        trial("mnist_in_the_cache_is_what_auto_takes", mnist_in_the_cache_is_what_auto_takes),
        trial("mnist_passes_verify", mnist_passes_verify),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

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

fn mnist_loads_and_is_recognised(folder: &Path) -> Result<(), Failed> {
    assert_is_mnist(&load_folder(folder)?);
    Ok(())
}

fn mnist_in_the_cache_is_what_auto_takes(folder: &Path) -> Result<(), Failed> {
    let places = Places { variable: None, cache: Some(folder.to_owned()) };
    let (dataset, origin) = load_from(&DataSource::Auto, 1, &places)?;
    assert_is_mnist(&dataset);
    assert_eq!(origin, "cache folder");
    Ok(())
}

fn mnist_passes_verify(folder: &Path) -> Result<(), Failed> {
    let verdicts = verify(folder);
    assert!(verdicts.iter().all(|verdict| verdict.state == State::Mnist), "{verdicts:?}");
    Ok(())
}
