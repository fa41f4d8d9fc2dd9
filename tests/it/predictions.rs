//! `docs/kernel-predictions.csv`: times of kernels that a model of GPUs predicts.

use gpubench::kernels::plan_named;
use gpubench::model::{DROPOUT_RATE, Model, Training};
use std::collections::BTreeSet;

#[test]
fn every_kernel_of_a_predicted_plan_has_one_prediction() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/kernel-predictions.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let columns = ["architecture", "device", "plan", "kernel", "least_us", "most_us"];
    assert_eq!(reader.headers().unwrap(), columns.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let plans: BTreeSet<[&str; 2]> = rows.iter().map(|row| [&row[0], &row[2]]).collect();
    assert!(!plans.is_empty());
    for [architecture, name] in plans {
        let plan = plan_named(name).unwrap().make(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
        let predicted = rows.iter().filter(|row| row[0] == *architecture && row[2] == *name);
        let mut predicted: Vec<&str> = predicted.map(|row| &row[3]).collect();
        let mut kernels: Vec<&str> = plan.training.iter().map(|dispatch| dispatch.kernel.name).collect();
        predicted.sort_unstable();
        kernels.sort_unstable();
        assert_eq!(predicted, kernels, "{architecture}, {name}");
    }
    for row in &rows {
        let [least, most]: [f64; 2] = [row[4].parse().unwrap(), row[5].parse().unwrap()];
        assert!(0.0 < least && least <= most, "{row:?}");
    }
}
