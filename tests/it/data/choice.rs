//! Which data a run takes: what is asked for, what the environment names, what the cache holds.

use super::{folder_with, full_size, small};
use gpubench::cli::data::{MIRROR_VARIABLE, mirrors};
use gpubench::cli::dataset::{DATA_VARIABLE, DataSource, Places, cache_folder, load_from};
use gpubench::data::Identity;
use gpubench::data::idx::FILES;

#[test]
fn auto_takes_the_variable_then_the_cache_then_synthetic_digits() {
    let folder = folder_with(&full_size());
    let empty = tempfile::tempdir().unwrap();
    let here = |places: &Places| load_from(&DataSource::Auto, 1, places).unwrap();

    let variable = Some(folder.path().into());
    let (dataset, origin) = here(&Places { variable, cache: Some(empty.path().into()) });
    assert_eq!(dataset.identity, Identity::Other);
    assert!(origin.contains(DATA_VARIABLE), "{origin}");

    let (dataset, origin) = here(&Places { variable: Some("auto".into()), cache: Some(folder.path().into()) });
    assert_eq!(dataset.identity, Identity::Other);
    assert!(origin.contains("cache"), "{origin}");

    let (dataset, origin) = here(&Places { variable: None, cache: Some(empty.path().into()) });
    assert_eq!(dataset.identity, Identity::Synthetic);
    assert!(origin.contains("default"), "{origin}");

    // What --data names comes before all of them, and an unusable value of the variable is an error.
    let missing = Places { variable: Some("/nowhere/at/all".into()), cache: None };
    assert_eq!(load_from(&DataSource::Synthetic, 1, &missing).unwrap().0.identity, Identity::Synthetic);
    assert_eq!(load_from(&DataSource::Auto, 1, &missing).unwrap_err().exit_code(), 3);
}

#[test]
fn an_incomplete_cache_is_reported() {
    let folder = folder_with(&small());
    std::fs::remove_file(folder.path().join(FILES[0].name)).unwrap();
    let places = Places { variable: None, cache: Some(folder.path().into()) };
    let (dataset, origin) = load_from(&DataSource::Auto, 1, &places).unwrap();
    assert_eq!(dataset.identity, Identity::Synthetic);
    assert!(origin.contains("3 of 4 files"), "{origin}");
}

#[test]
fn values_of_data_are_understood() {
    for (text, source) in [
        ("auto", DataSource::Auto),
        ("synthetic", DataSource::Synthetic),
        ("synthetic:1500+200", DataSource::FewSynthetic(1500, 200)),
        ("synthetic:60001+200", DataSource::Folder("synthetic:60001+200".into())),
        ("synthetic:1500+0", DataSource::Folder("synthetic:1500+0".into())),
        ("./auto", DataSource::Folder("./auto".into())),
    ] {
        assert_eq!(text.parse::<DataSource>().unwrap(), source);
        assert_eq!(source.to_string(), text);
    }
    assert!(cache_folder().unwrap().ends_with("gpubench/mnist"));
}

/// Looks at the environment in a process of its own: one process cannot safely change its environment between threads.
#[cfg(target_os = "linux")]
#[test]
fn the_environment_names_data_cache_and_mirrors() {
    let this_test = "data::choice::the_environment_names_data_cache_and_mirrors";
    if std::env::var_os(DATA_VARIABLE).is_some_and(|value| value == "/some/data") {
        let cache = Some("/some/cache/gpubench/mnist".into());
        assert_eq!(Places::of_this_process(), Places { variable: Some("/some/data".into()), cache });
        assert_eq!(mirrors(), ["http://one/", "http://two/"]);
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this_test])
        .env(DATA_VARIABLE, "/some/data")
        .env("XDG_CACHE_HOME", "/some/cache")
        .env(MIRROR_VARIABLE, " http://one/ http://two/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
}
