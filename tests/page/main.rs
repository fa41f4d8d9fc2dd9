//! The page as a visitor meets it: in headless Chromium, on its software adapter, driven through chromedriver.
//!
//! Where there is no Chromium, or no page built by `make web`, the tests show as ignored. Pictures of the page are left
//! in `target/page-screenshots/`.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod driver;
mod files;
mod run;
mod site;
mod without;

use libtest_mimic::{Arguments, Completion, Trial};
use site::Site;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// A name and what is tested.
type Test = (&'static str, fn(&Site));

const TESTS: [Test; 9] = [
    ("the_page_tested_is_the_page_of_these_sources", without::the_page_tested_is_the_page_of_these_sources),
    (
        "a_quick_run_shows_its_result_and_the_program_reads_it",
        run::a_quick_run_shows_its_result_and_the_program_reads_it,
    ),
    ("a_run_can_be_started_and_cancelled_by_keyboard", run::a_run_can_be_started_and_cancelled_by_keyboard),
    ("settings_in_the_address_start_a_run", run::settings_in_the_address_start_a_run),
    ("impossible_settings_are_refused_in_words", run::impossible_settings_are_refused_in_words),
    ("a_file_that_is_none_of_mnists_is_refused", files::a_file_that_is_none_of_mnists_is_refused),
    ("mnists_files_are_accepted", files::mnists_files_are_accepted),
    ("without_webgpu_the_page_says_what_to_do", without::without_webgpu_the_page_says_what_to_do),
    ("an_insecure_origin_is_named", without::an_insecure_origin_is_named),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Runs at the same time would slow each other down, and one of the tests measures how smoothly the page runs.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let site = Arc::new(OnceLock::new());
    let trial = |(name, test): Test| {
        let site = site.clone();
        Trial::ignorable_test(name, move || {
            let mut reason = site::missing();
            if name == "mnists_files_are_accepted" && !common::mnist().is_dir() {
                reason = Some("there are no files of MNIST here");
            }
            if let Some(reason) = reason {
                return Ok(Completion::ignored_with(reason));
            }
            test(site.get_or_init(Site::start));
            Ok(Completion::Completed)
        })
    };
    let trials = TESTS.into_iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Ends the server and chromedriver, which a process that merely exits would leave behind.
    drop(site);
    conclusion.exit_code()
}
