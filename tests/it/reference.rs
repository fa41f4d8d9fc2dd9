//! The reference's functions on cases worked out by hand.

use gpubench::model::{CLASSES, DROPOUT_RATE, IMAGE_PIXELS, Layer, Model, Operation, Shape, Training};
use gpubench::reference::{
    Network, batch_gather, conv_backward_bias, conv_backward_input, conv_backward_weight, conv_forward,
    dense_backward_bias, dense_backward_input, dense_backward_weight, dense_forward, dropout_backward, dropout_forward,
    max_pool_backward, max_pool_forward, metrics_reduce, sgd_update, softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
};
use gpubench::rng::{Sequence, Stream, dropout_threshold, stream_key, threefry2x32};

fn layer(operation: Operation, input: [usize; 3], output: [usize; 3]) -> Layer {
    let shape = |[channels, height, width]: [usize; 3]| Shape::new(channels, height, width);
    Layer { name: "layer", operation, input: shape(input), output: shape(output) }
}

/// One channel of 3 x 3 to two of 2 x 2.
fn convolution() -> Layer {
    layer(Operation::Convolution { kernel: 2 }, [1, 3, 3], [2, 2, 2])
}

const CONVOLUTION_X: [f64; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
const CONVOLUTION_WEIGHT: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 1.0, 0.0, 0.0, -1.0];
const CONVOLUTION_DY: [f64; 8] = [0.0, 0.0, 1.0, 2.0, 1.0, 0.0, 0.0, -1.0];

/// Three inputs, two outputs.
fn dense(relu: bool) -> Layer {
    layer(Operation::Dense { relu }, [3, 1, 1], [2, 1, 1])
}

const DENSE_WEIGHT: [f64; 6] = [1.0, 2.0, 3.0, -1.0, 0.0, 1.0];

/// `values` times 1, 0 and 2, as a batch of three.
fn three(values: &[f64]) -> Vec<f64> {
    [1.0, 0.0, 2.0].iter().flat_map(|factor| values.iter().map(move |value| value * factor)).collect()
}

/// `values` as a batch of three equal images.
fn repeated(values: &[f64]) -> Vec<f64> {
    values.repeat(3)
}

fn scaled(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|value| value * factor).collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let near = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 1e-14 * expected.abs().max(1.0);
    assert!(found.iter().zip(expected).all(near), "{found:?}, expected {expected:?}");
}

#[test]
fn a_convolution_is_a_cross_correlation_plus_bias_through_a_relu() {
    // The windows give 37, 47, 67 and 77 for the first weight, -4 everywhere for the second.
    let y = conv_forward(&convolution(), &CONVOLUTION_X, &CONVOLUTION_WEIGHT, &[-50.0, 5.0]);
    assert_eq!(y, [0.0, 0.0, 17.0, 27.0, 1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn a_convolution_treats_the_images_of_a_batch_alone() {
    let y = conv_forward(&convolution(), &three(&CONVOLUTION_X), &CONVOLUTION_WEIGHT, &[-50.0, 5.0]);
    assert_eq!(y[..8], [0.0, 0.0, 17.0, 27.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(y[8..16], [0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0]);
    assert_eq!(y[16..], [24.0, 44.0, 84.0, 104.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_convolution_adds_up_its_input_channels() {
    let layer = layer(Operation::Convolution { kernel: 2 }, [2, 2, 2], [1, 1, 1]);
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let weight = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 0.0];
    assert_eq!(conv_forward(&layer, &x, &weight, &[10.0]), [2.0]);
    assert_eq!(conv_backward_input(&layer, &[3.0], &weight), scaled(&weight, 3.0));
    assert_eq!(conv_backward_weight(&layer, &x, &[3.0]), scaled(&x, 3.0));
}

#[test]
fn the_gradients_of_a_convolution_are_those_worked_out_by_hand() {
    let layer = convolution();
    let dx = [1.0, 0.0, 0.0, 1.0, 2.0, 4.0, 3.0, 10.0, 9.0];
    let dweight = [14.0, 17.0, 23.0, 26.0, -4.0, -4.0, -4.0, -4.0];
    assert_eq!(conv_backward_input(&layer, &CONVOLUTION_DY, &CONVOLUTION_WEIGHT), dx);
    assert_eq!(conv_backward_weight(&layer, &CONVOLUTION_X, &CONVOLUTION_DY), dweight);
    assert_eq!(conv_backward_bias(&layer, &CONVOLUTION_DY), [3.0, 0.0]);

    // Input gradients stay with their image, parameter gradients are summed over the batch: 1 + 0 + 2 times.
    let dy = three(&CONVOLUTION_DY);
    assert_eq!(conv_backward_input(&layer, &dy, &CONVOLUTION_WEIGHT), three(&dx));
    assert_eq!(conv_backward_weight(&layer, &repeated(&CONVOLUTION_X), &dy), scaled(&dweight, 3.0));
    assert_eq!(conv_backward_bias(&layer, &dy), [9.0, 0.0]);
}

#[test]
fn a_max_pool_takes_the_first_of_equals_and_leaves_an_odd_border_out() {
    let layer = layer(Operation::MaxPool { window: 2 }, [2, 3, 5], [2, 1, 2]);
    #[rustfmt::skip]
    let x = [
        1.0, 1.0, 3.0, 2.0, 9.0,
        1.0, 1.0, 2.0, 3.0, 9.0,
        9.0, 9.0, 9.0, 9.0, 9.0,

        -1.0, -2.0, 0.0, 7.0, 9.0,
        -3.0, -1.0, 8.0, 8.0, 9.0,
        9.0, 9.0, 9.0, 9.0, 9.0,
    ];
    let (y, argmax) = max_pool_forward(&layer, &x);
    assert_eq!(y, [1.0, 3.0, -1.0, 8.0]);
    assert_eq!(argmax, [0, 0, 0, 2]);
    // The third maximum is not above 0, so its gradient stops at the ReLU before the pool.
    let mut dx = vec![0.0; 30];
    (dx[0], dx[2], dx[22]) = (5.0, 6.0, 8.0);
    let dy = [5.0, 6.0, 7.0, 8.0];
    assert_eq!(max_pool_backward(&layer, &dy, &argmax, &y), dx);

    let (y_three, argmax_three) = max_pool_forward(&layer, &repeated(&x));
    assert_eq!((y_three.as_slice(), argmax_three.as_slice()), (&*repeated(&y), &*argmax.repeat(3)));
    assert_eq!(max_pool_backward(&layer, &three(&dy), &argmax_three, &y_three), three(&dx));
}

#[test]
fn a_max_pool_counts_the_places_of_its_window_row_by_row() {
    let layer = layer(Operation::MaxPool { window: 3 }, [1, 3, 3], [1, 1, 1]);
    for place in 0..9 {
        let mut x = [0.0; 9];
        x[place] = 2.0;
        let (y, argmax) = max_pool_forward(&layer, &x);
        assert_eq!((y.as_slice(), argmax.as_slice()), (&[2.0][..], &[place as u32][..]));
        assert_eq!(max_pool_backward(&layer, &[2.0], &argmax, &y), x);
    }
    // A maximum of exactly 0 came out of the flat part of the ReLU.
    assert_eq!(max_pool_backward(&layer, &[2.0], &[0], &[0.0]), [0.0; 9]);
}

#[test]
fn dropout_keeps_by_the_first_word_of_threefry_and_scales_what_it_keeps() {
    // Known answer of Random123: the first word of the zero key and counter is 0.418 of 2^32.
    assert_eq!(threefry2x32([0, 0], [0, 0])[0], 0x6b20_0159);
    assert_eq!(dropout_forward(&[3.0], [0, 0], 0, 0.4), [3.0 * f64::from(1.0f32 / 0.6f32)]);
    assert_eq!(dropout_forward(&[3.0], [0, 0], 0, 0.5), [0.0]);
    assert_eq!(dropout_forward(&[3.0, -4.0, 5.0], [1, 2], 9, 0.0), [3.0, -4.0, 5.0]);
    assert_eq!(dropout_threshold(0.2), 858_993_472, "the f32 nearest to 0.2 is 13421773 / 2^26");
    assert_eq!(dropout_forward(&[], [1, 2], 9, 0.2), Vec::<f64>::new());
}

#[test]
fn dropout_keeps_a_word_that_equals_the_threshold() {
    // A word of 24 leading bits is exact as an f32 rate, and one among 256 is such a word.
    let key = [5, 6];
    let word = |element: u32| threefry2x32(key, [element, 1])[0];
    let element = (0..10_000).find(|&element| word(element) % 256 == 0 && word(element) < 1 << 31).unwrap();
    let rate = word(element) as f32 / 4_294_967_296.0;
    assert_eq!(dropout_threshold(rate), word(element));
    let kept = |rate| dropout_forward(&vec![1.0; element as usize + 1], key, 1, rate)[element as usize] > 0.0;
    assert!(kept(rate));
    assert!(!kept(rate.next_up()));
}

#[test]
fn dropout_masks_depend_on_element_step_and_key_and_drop_the_given_share() {
    let ones = vec![1.0; 30_000];
    let mask = |key, step| dropout_forward(&ones, key, step, DROPOUT_RATE);
    let dropped = mask([1, 2], 3).iter().filter(|value| **value == 0.0).count();
    // The standard deviation is 69.
    assert!((5_700..6_300).contains(&dropped), "{dropped} of 30000 dropped");
    assert!(mask([1, 2], 3).iter().all(|&value| value == 0.0 || value == f64::from(1.0f32 / (1.0 - 0.2f32))));
    assert_ne!(mask([1, 2], 3), mask([1, 2], 4));
    assert_ne!(mask([1, 2], 3), mask([2, 1], 3));
    assert_ne!(mask([1, 2], 3)[..400], mask([1, 2], 3)[400..800], "every image of a batch has a mask of its own");
    assert_eq!(dropout_backward(&ones, [1, 2], 3, DROPOUT_RATE), mask([1, 2], 3));
}

#[test]
fn a_dense_layer_and_its_gradients_are_those_worked_out_by_hand() {
    let (x, bias) = ([1.0, 2.0, 3.0], [1.0, -5.0]);
    assert_eq!(dense_forward(&dense(false), &x, &DENSE_WEIGHT, &bias), [15.0, -3.0]);
    assert_eq!(dense_forward(&dense(true), &x, &DENSE_WEIGHT, &bias), [15.0, 0.0]);
    let y = dense_forward(&dense(false), &three(&x), &DENSE_WEIGHT, &bias);
    assert_eq!(y, [15.0, -3.0, 1.0, -5.0, 29.0, -1.0]);

    let layer = dense(false);
    let (dy, dx, dweight) = ([2.0, 3.0], [-1.0, 4.0, 9.0], [2.0, 4.0, 6.0, 3.0, 6.0, 9.0]);
    assert_eq!(dense_backward_input(&layer, &dy, &DENSE_WEIGHT, None), dx);
    assert_eq!(dense_backward_input(&layer, &dy, &DENSE_WEIGHT, Some(&[0.5, 0.0, 7.0])), [-1.0, 0.0, 9.0]);
    assert_eq!(dense_backward_weight(&layer, &x, &dy), dweight);
    assert_eq!(dense_backward_bias(&layer, &dy), dy);

    assert_eq!(dense_backward_input(&layer, &three(&dy), &DENSE_WEIGHT, None), three(&dx));
    assert_eq!(dense_backward_weight(&layer, &repeated(&x), &three(&dy)), scaled(&dweight, 3.0));
    assert_eq!(dense_backward_bias(&layer, &three(&dy)), [6.0, 9.0]);
}

#[test]
fn a_dense_layer_adds_up_all_of_any_number_of_inputs() {
    for inputs in 1..10 {
        let layer = layer(Operation::Dense { relu: false }, [inputs, 1, 1], [1, 1, 1]);
        let weight: Vec<f64> = (1..=inputs).map(|value| value as f64).collect();
        let y = dense_forward(&layer, &vec![1.0; inputs], &weight, &[0.0]);
        assert_eq!(y, [(inputs * (inputs + 1) / 2) as f64]);
    }
}

#[test]
fn a_value_that_is_not_a_number_passes_a_relu() {
    assert!(dense_forward(&dense(true), &[f64::NAN, 0.0, 0.0], &DENSE_WEIGHT, &[0.0; 2])[0].is_nan());
    assert!(conv_forward(&convolution(), &[f64::NAN; 9], &CONVOLUTION_WEIGHT, &[0.0; 2])[0].is_nan());
}

#[test]
fn equal_logits_cost_the_logarithm_of_ten_and_mean_class_zero() {
    let (loss, correct) = softmax_cross_entropy_forward(&[0.7; 3 * CLASSES], &[0, 4, 9]);
    assert_near(&loss, &[10f64.ln(); 3]);
    assert_eq!(correct, [1, 0, 0]);
    for images in [1, 3] {
        let share = 1.0 / images as f64;
        let mut expected = vec![0.1 * share; images * CLASSES];
        (0..images).for_each(|image| expected[image * CLASSES + 4] = -0.9 * share);
        assert_near(&softmax_cross_entropy_backward(&vec![0.7; images * CLASSES], &vec![4; images]), &expected);
    }
}

#[test]
fn a_softmax_of_one_half_costs_the_logarithm_of_two() {
    // e^(ln 9) is as much as the nine others together.
    let mut logits = vec![0.0; CLASSES];
    logits[2] = 9f64.ln();
    let (loss, correct) = softmax_cross_entropy_forward(&logits.repeat(2), &[2, 5]);
    assert_near(&loss, &[2f64.ln(), 18f64.ln()]);
    assert_eq!(correct, [1, 0]);
    let mut expected = vec![1.0 / 18.0; CLASSES];
    (expected[2], expected[5]) = (0.5, 1.0 / 18.0 - 1.0);
    assert_near(&softmax_cross_entropy_backward(&logits, &[5]), &expected);
}

#[test]
fn the_answer_is_the_first_of_the_largest_logits() {
    let mut logits = [-1.0; CLASSES];
    (logits[3], logits[7]) = (2.0, 2.0);
    assert_eq!(softmax_cross_entropy_forward(&logits.repeat(3), &[3, 7, 0]).1, [1, 0, 0]);
}

#[test]
fn large_logits_do_not_overflow() {
    let mut logits = vec![0.0; CLASSES];
    logits[1] = 1e4;
    assert_eq!(softmax_cross_entropy_forward(&logits.repeat(2), &[1, 0]).0, [0.0, 1e4]);
    let expected = [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(softmax_cross_entropy_backward(&logits, &[0]), expected);
}

#[test]
fn metrics_are_sums() {
    assert_eq!(metrics_reduce(&[0.5, 1.5, 2.0], &[1, 0, 1]), (4.0, 2));
    assert_eq!(metrics_reduce(&[0.25], &[0]), (0.25, 0));
}

#[test]
fn momentum_carries_over_from_step_to_step() {
    let (mut parameters, mut velocities) = ([1.0, -1.0, 0.0], [0.0, 0.0, 8.0]);
    sgd_update(&mut parameters, &mut velocities, &[2.0, -4.0, 0.0], 0.25, 0.5);
    assert_eq!((parameters, velocities), ([0.5, 0.0, 4.0], [-0.5, 1.0, 4.0]));
    sgd_update(&mut parameters, &mut velocities, &[4.0, 0.0, 0.0], 0.125, 0.5);
    assert_eq!((parameters, velocities), ([-0.25, 0.5, 6.0], [-0.75, 0.5, 2.0]));
}

#[test]
fn a_batch_holds_the_images_asked_for_in_that_order() {
    let images: Vec<u8> = (0..3 * IMAGE_PIXELS).map(|pixel| (pixel % 251) as u8).collect();
    for indices in [&[2, 0, 2][..], &[1]] {
        let (pixels, labels) = batch_gather(&images, &[7, 8, 9], indices);
        assert_eq!(labels, indices.iter().map(|index| 7 + *index as u8).collect::<Vec<u8>>());
        assert_eq!(pixels.len(), indices.len() * IMAGE_PIXELS);
        for (place, pixel) in pixels.iter().enumerate() {
            let source = indices[place / IMAGE_PIXELS] as usize * IMAGE_PIXELS + place % IMAGE_PIXELS;
            assert_eq!(*pixel, (source % 251) as f64 / 255.0);
        }
    }
    assert_eq!(batch_gather(&[255; IMAGE_PIXELS], &[0], &[0]).0[0], 1.0);
}

#[test]
#[should_panic(expected = "are no whole number of images")]
fn values_that_fill_no_whole_image_are_refused() {
    dense_forward(&dense(true), &[1.0; 4], &DENSE_WEIGHT, &[0.0; 2]);
}

#[test]
#[should_panic(expected = "weight and bias fit the layer")]
fn a_weight_of_another_size_is_refused() {
    conv_forward(&convolution(), &CONVOLUTION_X, &DENSE_WEIGHT, &[0.0; 2]);
}

/// The standard network and a batch of random images with labels 0, 1, 2, ...
fn network(images: usize) -> (Network, Vec<f64>, Vec<u8>) {
    let model = Model::new(DROPOUT_RATE);
    let parameters = model.initial_parameters(1);
    let network = Network::new(model, Training::STANDARD, &parameters, stream_key(1, Stream::Dropout));
    let mut draws = Sequence::new(1, Stream::Check, 0);
    let pixels = (0..images * IMAGE_PIXELS).map(|_| f64::from(draws.uniform())).collect();
    (network, pixels, (0..images).map(|image| (image % CLASSES) as u8).collect())
}

#[test]
fn evaluation_covers_every_image_once_and_drops_nothing() {
    // More than two of the batches that evaluation works in.
    let (network, pixels, labels) = network(130);
    let (loss_sum, correct) = network.evaluate(&pixels, &labels);
    let trace = network.forward(&pixels, &labels, None);
    assert!((loss_sum - trace.losses().iter().sum::<f64>()).abs() < 1e-10);
    assert_eq!(correct, trace.correct.iter().sum::<u32>());
    assert_eq!(trace.activations[5], trace.activations[4], "dropout is off");
    assert_ne!(network.forward(&pixels, &labels, Some(0)).losses(), trace.losses());
}

#[test]
fn steps_on_one_batch_learn_it() {
    let (mut network, pixels, labels) = network(8);
    // At the pinned rate so small a batch can end with every ReLU dead, and which start does is chance.
    network.training.learning_rate = 0.01;
    let before = network.evaluate(&pixels, &labels).0;
    let first = network.gradients(&pixels, &labels, 0);
    assert_eq!(network.training_step(&pixels, &labels, 0).gradients, first.gradients, "asking changes nothing");
    (1..100).for_each(|step| drop(network.training_step(&pixels, &labels, step)));
    let (after, correct) = network.evaluate(&pixels, &labels);
    assert!(after < 0.2 * before, "the loss went from {before} to {after}");
    assert_eq!(correct, 8, "of 8");
}
