//! Tiles that the WGSL files must write as numbers cover the layers of the model.

use super::plans;
use gpubench::kernels::Dispatch;
use gpubench::kernels::table::{CLASSIFIER_FORWARD_BACKWARD, GRADIENT_UPDATE};
use gpubench::model::{DROPOUT_RATE, Model};

fn dispatches(name: &str) -> Vec<Dispatch> {
    let all = plans().into_iter().flat_map(|plan| plan.training);
    all.filter(|dispatch| dispatch.kernel.name == name).collect()
}

#[test]
fn the_classifier_covers_its_layers() {
    let model = Model::new(DROPOUT_RATE);
    let [vec4s, units1, units2] =
        ["pool2", "fc1", "fc2"].map(|layer| model.layer(layer).output.elements()).map(|count| count as u32);
    let [parts, ahead, inputs2, units2_4, rows] =
        ["PARTS", "AHEAD", "INPUTS2", "UNITS2_4", "ROWS"].map(|tile| CLASSIFIER_FORWARD_BACKWARD.tile_size(tile));
    let vec4s = vec4s / 4;
    for dispatch in dispatches(CLASSIFIER_FORWARD_BACKWARD.name) {
        let [workgroup, images] = ["WORKGROUP", "IMAGES"].map(|name| dispatch.constant(name) as u32);
        assert_eq!([4, 2].map(|units| units * workgroup / parts), [units1, units2], "units of a row");
        assert_eq!([4 * parts * inputs2, 4 * parts * units2_4], [units1, units2], "vec4s of a part of fc2");
        assert_eq!(units1 / 2 % rows, 0, "rows of fc1 in the backward pass");
        assert!(2 * vec4s <= workgroup, "two invocations take a vec4 of features");
        let stride = vec4s.next_multiple_of(parts * ahead);
        assert!(images * stride <= 2 * workgroup, "{images} images of {stride} vec4s in workgroup memory");
    }
}

#[test]
fn a_workgroup_of_the_update_has_whole_vec4s_of_units_and_four_tasks_for_a_place() {
    for dispatch in dispatches(GRADIENT_UPDATE.name) {
        let [workgroup, inputs] = ["WORKGROUP", "INPUTS"].map(|name| dispatch.constant(name) as u32);
        let [parts, vectors] = ["PARTS", "VECTORS"].map(|tile| GRADIENT_UPDATE.tile_size(tile));
        assert_eq!(workgroup / parts % inputs, 0, "{inputs} vec4s of inputs");
        assert!(parts >= 4 && workgroup % vectors == 0);
    }
}
