//! The table of plans, and the choice of a plan with values of its parameters.

use super::plan::{Parameter, Plan};
use super::{fused, fused_f16, fused_image, layered};
use crate::error::{Error, Result};
use crate::model::{Model, Training};
use std::fmt;

/// Makes a plan for a model, its training, the seed of its dropout masks, and the values of its parameters in their
/// order.
pub type MakePlan = fn(&Model, &Training, u64, &[u32]) -> Plan;

/// A row of the table of plans.
#[derive(Debug)]
pub struct PlanRow {
    /// Name, as in `--plan`.
    pub name: &'static str,
    /// Creates the plan.
    pub make: MakePlan,
    /// Parameters that `gpubench tune` varies.
    pub parameters: &'static [Parameter],
    /// The plan that this one is a variant of: searches time it only where that one is fast.
    pub base: Option<&'static str>,
    /// How what it computes differs from the pinned task, in words; a search never chooses such a plan.
    pub non_standard: Option<&'static str>,
}

/// A plan with a value for each of its parameters. Displays as the plan's name, followed by a colon and the values that
/// differ from the shipped ones.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The plan.
    pub row: &'static PlanRow,
    /// Values of its parameters, in order.
    pub values: Vec<u32>,
}

impl Choice {
    /// The plan with its shipped values.
    pub fn shipped(row: &'static PlanRow) -> Self {
        Self { row, values: shipped(row.parameters) }
    }

    /// Its parameters: name and value.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.row.parameters.iter().zip(&self.values).map(|(parameter, value)| (parameter.name, *value))
    }

    /// Creates the plan for a model, its training and the seed of its dropout masks.
    pub fn make(&self, model: &Model, training: &Training, seed: u64) -> Plan {
        Plan { parameters: self.parameters().collect(), ..(self.row.make)(model, training, seed, &self.values) }
    }

    /// The choices that differ in the value of parameter `index` only.
    pub fn alternatives(&self, index: usize) -> Vec<Self> {
        let values = self.row.parameters[index].values.iter().filter(|&&value| value != self.values[index]);
        let with = |&value: &u32| {
            let mut choice = self.clone();
            choice.values[index] = value;
            choice
        };
        values.map(with).collect()
    }

    /// Sets a parameter from a text such as `images=2`.
    fn set(&mut self, text: &str) -> Result<()> {
        let parameters = || {
            let values = |one: &Parameter| {
                let values: Vec<String> = one.values.iter().map(|value| format!("{}={value}", one.name)).collect();
                values.join(", ")
            };
            self.row.parameters.iter().map(values).collect::<Vec<_>>().join(", ")
        };
        let unknown = || {
            let known = parameters();
            let known =
                if known.is_empty() { "it has no parameters".to_owned() } else { format!("choose from {known}") };
            Error::Usage(format!("the plan {} has no {text}: {known}", self.row.name))
        };
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        let index = self.row.parameters.iter().position(|one| one.name == name).ok_or_else(unknown)?;
        let value = value.parse().ok().filter(|value| self.row.parameters[index].values.contains(value));
        self.values[index] = value.ok_or_else(unknown)?;
        Ok(())
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        let own = self.row.parameters.iter().zip(&self.values).filter(|(one, value)| one.shipped != **value);
        for (index, (one, value)) in own.enumerate() {
            write!(f, "{}{}={value}", if index == 0 { ':' } else { ',' }, one.name)?;
        }
        Ok(())
    }
}

/// Parses a choice such as `fused` or `fused:images=1,inputs=16`; parameters that are not given keep their shipped
/// values.
///
/// # Errors
/// [`Error::Usage`] that lists all plans, or all parameters with their values, if there is no such plan or value.
pub fn plan_named(text: &str) -> Result<Choice> {
    let (name, parameters) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let names = || PLANS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let row = PLANS.iter().find(|row| row.name == name);
    let row = row.ok_or_else(|| Error::Usage(format!("there is no plan {name}: choose --plan from {}", names())))?;
    let mut choice = Choice::shipped(row);
    for parameter in parameters.into_iter().flat_map(|parameters| parameters.split(',')) {
        choice.set(parameter)?;
    }
    Ok(choice)
}

/// The shipped value of each parameter.
fn shipped(parameters: &[Parameter]) -> Vec<u32> {
    parameters.iter().map(|parameter| parameter.shipped).collect()
}

/// All plans.
pub static PLANS: [PlanRow; 7] = [
    PlanRow {
        name: layered::NAME,
        make: |model, training, seed, _| layered::layered(model, training, seed),
        parameters: &[],
        base: None,
        non_standard: None,
    },
    PlanRow { name: fused::NAME, make: fused::fused, parameters: &fused::PARAMETERS, base: None, non_standard: None },
    PlanRow {
        name: fused::SUBGROUPS,
        make: fused::fused_subgroups,
        parameters: &fused::PARAMETERS,
        base: Some(fused::NAME),
        non_standard: None,
    },
    PlanRow {
        name: fused_image::NAME,
        make: fused_image::fused_image,
        parameters: &[],
        base: Some(fused::NAME),
        non_standard: None,
    },
    PlanRow {
        name: fused_f16::NAME,
        make: |model, training, seed, _| fused_f16::fused_f16(model, training, seed),
        parameters: &[],
        base: Some(fused::NAME),
        non_standard: Some("16-bit storage of pool1 for the backward pass"),
    },
    PlanRow {
        name: fused_f16::ARITHMETIC,
        make: |model, training, seed, _| fused_f16::fused_f16_arithmetic(model, training, seed),
        parameters: &[],
        base: Some(fused::NAME),
        non_standard: Some("f16 arithmetic in conv2's forward pass, and 16-bit storage of pool1"),
    },
    PlanRow { name: fused::LANES, make: fused::fused_lanes, parameters: &[], base: None, non_standard: None },
];

/// Every plan with its shipped values, then every choice that differs from them in one parameter; tests cover these.
pub fn all_choices() -> Vec<Choice> {
    let shipped: Vec<Choice> = PLANS.iter().map(Choice::shipped).collect();
    let alternatives =
        |choice: &Choice| (0..choice.values.len()).flat_map(|index| choice.alternatives(index)).collect::<Vec<_>>();
    let alternatives: Vec<Choice> = shipped.iter().flat_map(alternatives).collect();
    shipped.into_iter().chain(alternatives).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_parses_as_it_displays() {
        for choice in all_choices() {
            let read = plan_named(&choice.to_string()).unwrap();
            assert_eq!((read.row.name, &read.values), (choice.row.name, &choice.values));
        }
        assert_eq!(plan_named("fused:images=2").unwrap().to_string(), "fused:images=2");
        assert_eq!(plan_named("fused").unwrap().to_string(), "fused");
    }

    #[test]
    fn unknown_plans_and_parameters_are_refused_with_the_known_ones() {
        let message = |text| plan_named(text).unwrap_err().to_string();
        assert!(message("quick").contains("choose --plan from layered, fused"), "{}", message("quick"));
        for text in ["fused:images=5", "fused:images", "fused:images=x", "fused:tea=2", "fused:"] {
            assert!(message(text).contains("images=1, images=2, images=3, images=4"), "{}", message(text));
        }
        assert!(message("layered:images=2").contains("it has no parameters"), "{}", message("layered:images=2"));
    }

    #[test]
    fn shipped_values_are_among_the_values() {
        for parameter in PLANS.iter().flat_map(|row| row.parameters) {
            assert!(parameter.values.contains(&parameter.shipped), "{}", parameter.name);
        }
    }
}
