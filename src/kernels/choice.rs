//! Which plan, with which values of its parameters.

use super::plan::{Parameter, Plan};
use super::{fused, layered};
use crate::error::{Error, Result};
use crate::model::{Model, Training};
use std::fmt;

/// Makes a plan for a model, its training, the seed of its dropout masks, and the values of its parameters in their order.
pub type MakePlan = fn(&Model, &Training, u64, &[u32]) -> Plan;

/// A row of the table of plans.
#[derive(Debug)]
pub struct PlanRow {
    /// Name, as in `--plan`.
    pub name: &'static str,
    /// What makes it.
    pub make: MakePlan,
    /// What `gpubench tune` may choose.
    pub parameters: &'static [Parameter],
    /// The plan that needs less of an adapter and stands beside this one.
    pub base: Option<&'static str>,
}

/// A plan with a value for each of its parameters; its text is the plan's name, and behind a colon what is not as shipped.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The plan.
    pub row: &'static PlanRow,
    /// The values of its parameters, in their order.
    pub values: Vec<u32>,
}

impl Choice {
    /// The plan as shipped.
    pub fn shipped(row: &'static PlanRow) -> Self {
        Self { row, values: row.parameters.iter().map(|parameter| parameter.shipped).collect() }
    }

    /// Makes the plan for a model, its training and the seed of its dropout masks.
    pub fn make(&self, model: &Model, training: &Training, seed: u64) -> Plan {
        let parameters = self.row.parameters.iter().zip(&self.values).map(|(one, value)| (one.name, *value)).collect();
        Plan { parameters, ..(self.row.make)(model, training, seed, &self.values) }
    }

    /// This one with every other value of its parameter number `place`.
    pub fn alternatives(&self, place: usize) -> Vec<Self> {
        let values = self.row.parameters[place].values.iter().filter(|&&value| value != self.values[place]);
        let with = |&value: &u32| {
            let mut choice = self.clone();
            choice.values[place] = value;
            choice
        };
        values.map(with).collect()
    }

    /// Sets the parameter that `text`, such as `images=2`, names.
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
        let place = self.row.parameters.iter().position(|one| one.name == name).ok_or_else(unknown)?;
        let value = value.parse().ok().filter(|value| self.row.parameters[place].values.contains(value));
        self.values[place] = value.ok_or_else(unknown)?;
        Ok(())
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        let own = self.row.parameters.iter().zip(&self.values).filter(|(one, value)| one.shipped != **value);
        for (place, (one, value)) in own.enumerate() {
            write!(f, "{}{}={value}", if place == 0 { ':' } else { ',' }, one.name)?;
        }
        Ok(())
    }
}

/// The plan that `text` names, such as `fused` or `fused:images=1,inputs=64`; parameters that are not named are as shipped.
///
/// # Errors
/// [`Error::Usage`] with the names of all plans, or the values of all parameters, if there is none.
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

/// Every plan.
pub static PLANS: [PlanRow; 4] = [
    PlanRow {
        name: layered::NAME,
        make: |model, training, seed, _| layered::layered(model, training, seed),
        parameters: &[],
        base: None,
    },
    PlanRow { name: fused::NAME, make: fused::fused, parameters: &fused::PARAMETERS, base: None },
    PlanRow {
        name: fused::SUBGROUPS,
        make: fused::fused_subgroups,
        parameters: &fused::PARAMETERS,
        base: Some(fused::NAME),
    },
    PlanRow { name: fused::LANES, make: fused::fused_lanes, parameters: &[], base: None },
];

/// Every plan as shipped, then each with every other value of one parameter: what tests run over.
pub fn all_choices() -> Vec<Choice> {
    let shipped: Vec<Choice> = PLANS.iter().map(Choice::shipped).collect();
    let others =
        |choice: &Choice| (0..choice.values.len()).flat_map(|place| choice.alternatives(place)).collect::<Vec<_>>();
    let others: Vec<Choice> = shipped.iter().flat_map(others).collect();
    shipped.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for choice in all_choices() {
            let read = plan_named(&choice.to_string()).unwrap();
            assert_eq!((read.row.name, &read.values), (choice.row.name, &choice.values));
        }
        assert_eq!(plan_named("fused:images=4").unwrap().to_string(), "fused:images=4");
        assert_eq!(plan_named("fused").unwrap().to_string(), "fused");
    }

    #[test]
    fn what_no_plan_has_is_refused_with_what_there_is() {
        let words = |text| plan_named(text).unwrap_err().to_string();
        assert!(words("quick").contains("choose --plan from layered, fused"), "{}", words("quick"));
        for text in ["fused:images=3", "fused:images", "fused:images=x", "fused:tea=2", "fused:"] {
            assert!(words(text).contains("images=1, images=2, images=4"), "{}", words(text));
        }
        assert!(words("layered:images=2").contains("it has no parameters"), "{}", words("layered:images=2"));
    }

    #[test]
    fn shipped_values_are_among_the_values() {
        for parameter in PLANS.iter().flat_map(|row| row.parameters) {
            assert!(parameter.values.contains(&parameter.shipped), "{}", parameter.name);
        }
    }
}
