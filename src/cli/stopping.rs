//! The options of the stopping rule: pauses, limits, and a soak.

use crate::error::{Error, Result};
use crate::result::{Measured, Origin, Setting, StoppingRule};
use clap::Args;

/// Options for repeating the training.
#[derive(Debug, Clone, Default, Args)]
pub struct StoppingArgs {
    /// Pause between two trainings, in seconds
    #[arg(long, help_heading = "Repetition", value_name = "SECONDS", allow_negative_numbers = true, value_parser = cooldown)]
    pub cooldown: Option<f64>,
    /// Repeat until the 95 % interval of the median time lies within this percentage of it; --repeat is then the
    /// minimum
    #[arg(long, help_heading = "Repetition", value_name = "PCT", allow_negative_numbers = true, value_parser = target_ci)]
    pub target_ci: Option<f64>,
    /// Start no further training this many seconds after the first one started, overriding --repeat and --target-ci
    #[arg(long, help_heading = "Repetition", value_name = "SECONDS", allow_negative_numbers = true, value_parser = max_time)]
    pub max_time: Option<f64>,
    /// Train continuously for this many minutes, and report the fastest and slowest epoch and the drift of their time
    #[arg(long, help_heading = "Repetition", value_name = "MINUTES", allow_negative_numbers = true, value_parser = soak,
          conflicts_with_all = ["epochs", "steps", "quick", "repeat", "cooldown", "target_ci", "max_time"])]
    pub soak: Option<f64>,
}

impl StoppingArgs {
    /// The stopping rule of these options.
    pub fn settings(&self) -> StoppingRule {
        let given = |option: Option<f64>| match option {
            Some(value) => Setting::new(Measured::Value(value), Origin::Option),
            None => Setting::default(Measured::missing("not asked for")),
        };
        StoppingRule {
            cooldown_s: Setting::option_or(self.cooldown, 0.0),
            target_ci_pct: given(self.target_ci),
            max_time_s: given(self.max_time),
            soak_min: given(self.soak),
        }
    }

    /// Checks that these options have an effect with `repeat` trainings.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is only one training to pause after or to limit.
    pub fn validate(&self, repeat: u32) -> Result<()> {
        let several = repeat > 1 || self.target_ci.is_some();
        let alone = |option: &str, does: &str| {
            Err(Error::Usage(format!(
                "{option} {does}, and there is only one: add --repeat 2 or more, or --target-ci, or leave {option} out"
            )))
        };
        match (several, self.cooldown, self.max_time) {
            (false, Some(_), _) => alone("--cooldown", "pauses between trainings"),
            (false, _, Some(_)) => alone("--max-time", "limits the number of trainings"),
            _ => Ok(()),
        }
    }
}

/// Parses a number from `least` to `most`; the error states the range.
fn number(text: &str, [least, most]: [f64; 2], what: &str) -> std::result::Result<f64, String> {
    let value: Option<f64> = text.trim().parse().ok();
    let fits = value.filter(|value| (least..=most).contains(value));
    fits.ok_or_else(|| format!("choose {what} from {least} to {most}"))
}

fn cooldown(text: &str) -> std::result::Result<f64, String> {
    number(text, [0.0, 3600.0], "seconds")
}

fn target_ci(text: &str) -> std::result::Result<f64, String> {
    number(text, [0.01, 50.0], "percent")
}

/// Parses seconds of a limit.
///
/// # Errors
/// The range.
pub fn max_time(text: &str) -> std::result::Result<f64, String> {
    number(text, [0.1, 604_800.0], "seconds")
}

fn soak(text: &str) -> std::result::Result<f64, String> {
    number(text, [0.01, 10_080.0], "minutes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        assert_eq!(cooldown("2.5"), Ok(2.5));
        for text in ["-1", "3601", "soon", "NaN", "inf", ""] {
            assert_eq!(cooldown(text), Err("choose seconds from 0 to 3600".to_owned()), "{text}");
        }
        for refused in [target_ci("0"), target_ci("51"), max_time("0"), soak("0"), soak("1e9")] {
            assert!(refused.is_err_and(|message| message.starts_with("choose ")));
        }
    }

    #[test]
    fn options_without_effect_are_refused() {
        let with = |cooldown, target_ci, max_time| StoppingArgs { cooldown, target_ci, max_time, soak: None };
        for (arguments, repeat) in [
            (with(None, None, None), 1),
            (with(Some(1.0), None, None), 2),
            (with(None, None, Some(1.0)), 2),
            (with(Some(1.0), Some(5.0), Some(9.0)), 1),
        ] {
            assert_eq!(arguments.validate(repeat), Ok(()));
        }
        for (arguments, option) in
            [(with(Some(1.0), None, None), "--cooldown"), (with(None, None, Some(9.0)), "--max-time")]
        {
            let error = arguments.validate(1).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(option), "{error}");
        }
    }
}
