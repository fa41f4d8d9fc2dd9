//! The page as a visitor meets it: in headless Chromium, on its software adapter, driven through chromedriver.
//!
//! Where there is no Chromium, or no page built by `make web`, the tests show as ignored. Pictures of the page are left
//! in `target/page-screenshots/`.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod accessibility;
#[path = "../common/mod.rs"]
mod common;
mod driver;
mod elsewhere;
mod files;
mod results;
mod run;
mod site;
mod without;

use libtest_mimic::{Arguments, Completion, Trial};
use site::Site;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// A name and what is tested.
type Test = (&'static str, fn(&Site));

macro_rules! tests {
    ($($module:ident: $($name:ident)*;)*) => {
        &[$($((stringify!($name), $module::$name),)*)*]
    };
}

const TESTS: &[Test] = tests! {
    without:
        the_page_tested_is_the_page_of_these_sources
        without_webgpu_the_processor_gives_a_number
        an_insecure_origin_is_named;
    run:
        a_quick_run_shows_its_result_and_the_program_reads_it
        a_quick_run_ends_in_time
        a_run_can_be_started_and_cancelled_by_keyboard
        settings_in_the_address_start_a_run
        impossible_settings_are_refused_in_words;
    elsewhere:
        a_result_travels_in_a_link
        links_without_a_result_are_refused_in_words
        two_results_are_compared_before_any_run
        a_browser_that_stores_nothing_runs_all_the_same;
    accessibility:
        axe_finds_no_violation;
    results:
        a_thousand_results_open_within_a_second_and_are_filtered_within_100_ms;
    files:
        a_file_that_is_none_of_mnists_is_refused
        mnists_files_are_accepted;
};

/// What a test needs beyond a browser and the page.
fn missing_for(name: &str) -> Option<&'static str> {
    match name {
        "mnists_files_are_accepted" if !common::mnist().is_dir() => Some("there are no files of MNIST here"),
        "axe_finds_no_violation" | "a_thousand_results_open_within_a_second_and_are_filtered_within_100_ms"
            if !accessibility::axe().is_file() =>
        {
            Some("there is no axe-core here")
        }
        _ => None,
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Runs at the same time would slow each other down, and one of the tests measures how smoothly the page runs.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let site = Arc::new(OnceLock::new());
    let trial = |&(name, test): &Test| {
        let site = site.clone();
        Trial::ignorable_test(name, move || {
            if let Some(reason) = site::missing().or_else(|| missing_for(name)) {
                return Ok(Completion::ignored_with(reason));
            }
            test(site.get_or_init(Site::start));
            Ok(Completion::Completed)
        })
    };
    let trials = TESTS.iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Ends the server and chromedriver, which a process that merely exits would leave behind.
    drop(site);
    conclusion.exit_code()
}
