//! What the site shows of each result: one row of the data that its script filters.

use crate::escape;
use crate::report::published_rows;
use crate::result::{AdapterKind, Measured, Outcome, RunResult, Status, Summary};
use serde::Serialize;

/// A result, or a published figure, as the site's script reads it. A value that is missing is left out.
#[derive(Debug, Default, Serialize)]
pub struct Row {
    /// The result's file in the folder `results` of the site; none for published figures.
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
    /// Where it comes from: "gpubench", or "published".
    from: &'static str,
    /// When the run started.
    date: String,
    device: String,
    /// "gpu", "software" or "cpu".
    kind: &'static str,
    backend: String,
    driver: String,
    /// The browser; none natively.
    #[serde(skip_serializing_if = "String::is_empty")]
    browser: String,
    plan: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    train_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high_s: Option<f64>,
    trainings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_pct: Option<f64>,
    /// What qualifies its figures: INVALID, non-standard, the data.
    stamps: Vec<String>,
    verified: bool,
    /// Kernel and layer, and microseconds of a step.
    kernels: Vec<(String, f64)>,
}

/// Whether a result holds what its own figures say: it is complete, the check passed, and the summary is what follows
/// from the trainings.
pub fn verified(result: &RunResult) -> bool {
    let passed = result.check.value().is_some_and(|check| check.outcome == Outcome::Passed);
    let times: Vec<f64> = result.repeats.iter().filter_map(|repeat| repeat.train_s.value().copied()).collect();
    let median = crate::stats::median(&times).map_or_else(|| Measured::missing(""), Measured::Value);
    let agrees = |one: &Measured<f64>, other: &Measured<f64>| match (one.value(), other.value()) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs(),
        _ => false,
    };
    let images = result.repeats.first().map_or(0, |repeat| {
        let (steps, epoch) = (u64::from(repeat.steps()), u64::from(result.steps_per_epoch().max(1)));
        let rest = (steps % epoch) * u64::from(result.settings.batch.value);
        steps / epoch * u64::from(result.data.train_images) + rest
    });
    let again = Summary::of(&result.repeats, images, result.model.training_macs);
    result.status == Status::Complete
        && passed
        && agrees(&result.summary.train_s, &median)
        && agrees(&result.summary.images_per_s, &again.images_per_s)
        && agrees(&result.summary.test_error_pct, &again.test_error_pct)
}

/// The row of a result that lies in `file` of the site.
pub fn row(file: String, result: &RunResult) -> Row {
    let adapter = &result.environment.adapter;
    let line = |text: &str| escape::line(text).into_owned();
    let driver = [&adapter.driver, &adapter.driver_info].map(|text| text.value().map_or("", String::as_str)).join(" ");
    let kind = match adapter.kind {
        AdapterKind::Cpu if !adapter.software => "cpu",
        _ if adapter.software => "software",
        _ => "gpu",
    };
    let mut stamps: Vec<String> = result.stamps().iter().map(|stamp| (*stamp).to_owned()).collect();
    if !result.standard {
        stamps.extend(result.non_standard.iter().map(|phrase| line(phrase)));
    }
    let kernels = result.profile.value().map(|profile| profile.kernels.as_slice()).unwrap_or_default();
    let interval = result.summary.train_interval.value();
    Row {
        file,
        from: "gpubench",
        date: line(&result.started_utc),
        device: line(&adapter.name),
        kind,
        backend: line(&adapter.backend),
        driver: line(driver.trim()),
        browser: browser(result.environment.os.value().map_or("", String::as_str)).to_owned(),
        plan: line(&result.plan.name),
        version: line(&result.environment.tool.version),
        train_s: result.summary.train_s.value().copied().filter(|seconds| seconds.is_finite()),
        low_s: interval.map(|interval| interval.low_s),
        high_s: interval.map(|interval| interval.high_s),
        trainings: result.repeats.len(),
        error_pct: result.summary.test_error_pct.value().copied(),
        stamps,
        verified: verified(result),
        kernels: kernels
            .iter()
            .filter_map(|time| Some((line(&format!("{} {}", time.kernel, time.layer)), time.median_ns.value()? / 1e3)))
            .collect(),
    }
}

/// The published figures.
pub fn published() -> impl Iterator<Item = Row> {
    published_rows().iter().map(|published| Row {
        from: "published",
        date: "2016-17".to_owned(),
        device: if published.device_count > 1 {
            format!("{} × {}", published.device_count, published.device)
        } else {
            published.device.clone()
        },
        kind: if published.device_count == 0 { "cpu" } else { "gpu" },
        plan: published.tool.clone(),
        train_s: Some(published.train_s),
        trainings: 1,
        error_pct: published.error_pct.value().copied(),
        ..Row::default()
    })
}

/// The browser of a user agent; empty where a system is none.
fn browser(system: &str) -> &'static str {
    const BROWSERS: [(&str, &str); 4] =
        [("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    if !system.starts_with("Mozilla/") {
        return "";
    }
    BROWSERS.iter().find(|(part, _)| system.contains(part)).map_or("browser", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_by_their_user_agent() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
        for (system, name) in [
            (chrome, "Chrome"),
            (&format!("{chrome} Edg/130.0"), "Edge"),
            ("Mozilla/5.0 (X11; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox"),
            ("Mozilla/5.0 Something", "browser"),
            ("Linux 6.1 Chrome/1", ""),
        ] {
            assert_eq!(browser(system), name, "{system}");
        }
    }
}
