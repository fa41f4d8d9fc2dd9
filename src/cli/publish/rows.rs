//! What the site shows of each result: one row of the data that its script filters.

use crate::bench;
use crate::escape;
use crate::report::{self, published_rows};
use crate::result::{AdapterKind, Outcome, RunResult, Status};
use serde::Serialize;

/// A result, or a published figure, as the site's script reads it. A value that is missing is left out.
#[derive(Debug, Default, Serialize)]
pub struct Row {
    /// The result's file in the folder `results` of the site; none for published figures.
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
    /// Who trained: "gpubench", "framework", or in 2016-17 "published".
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
    /// The plan; of a framework its name and version.
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

/// Whether a result is complete, its kernels passed their check or its framework's losses agreed, and `gpubench verify`
/// finds nothing in its figures.
pub fn verified(result: &RunResult) -> bool {
    let passed = match &result.tool {
        None => result.check.value().is_some_and(|check| check.outcome == Outcome::Passed),
        Some(other) => other.agreement.value().is_some_and(|agreement| agreement.difference().is_none()),
    };
    result.status == Status::Complete && passed && bench::verify(result).is_empty()
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
        from: if result.tool.is_some() { "framework" } else { "gpubench" },
        date: line(&result.started_utc),
        device: line(&adapter.name),
        kind,
        backend: line(&adapter.backend),
        driver: line(driver.trim()),
        browser: browser(result.environment.os.value().map_or("", String::as_str)).to_owned(),
        plan: if result.tool.is_some() { report::tool(result) } else { line(&result.plan.name) },
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
