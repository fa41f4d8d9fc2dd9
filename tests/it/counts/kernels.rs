//! Each kernel once more, as loops written from the line Math of its shader over a memory that counts.

use super::memory::{Array, Memory};
use gpubench::kernels::Dispatch;
use gpubench::model::{CLASSES, IMAGE_PIXELS, Layer, Model, Operation};
use gpubench::reference;
use gpubench::rng::{self, Sequence, Stream};

/// A dispatch to count, and where its made-up inputs come from.
pub struct Case<'a> {
    pub dispatch: &'a Dispatch,
    pub model: &'a Model,
    /// Images in the batch.
    pub n: usize,
}

/// What the loops did: their memory, what they wrote, and what the reference function of the same name says.
pub struct Counted {
    pub memory: Memory,
    pub outputs: Vec<(Array, Vec<f64>)>,
}

const STEP: u32 = 3;
pub const LEARNING_RATE: f64 = 0.05;
pub const MOMENTUM: f64 = 0.9;
/// Images that the batch is taken from.
const TOTAL: usize = 20;

impl Case<'_> {
    pub fn layer(&self) -> &Layer {
        self.model.layer(self.dispatch.layer)
    }

    /// `count` seeded values from -0.5 to 0.5; `which` tells the arrays of a case apart.
    pub fn random(&self, which: u32, count: usize) -> Vec<f64> {
        let mut sequence = Sequence::new(11, Stream::Check, which);
        (0..count).map(|_| f64::from(sequence.uniform()) - 0.5).collect()
    }

    pub fn labels(&self) -> Vec<u8> {
        (0..self.n).map(|image| (3 * image % CLASSES) as u8).collect()
    }

    /// Values of one image that go into the layer and come out of it.
    pub fn elements(&self) -> (usize, usize) {
        (self.layer().input.elements(), self.layer().output.elements())
    }

    fn kernel_side(&self) -> usize {
        match self.layer().operation {
            Operation::Convolution { kernel } => kernel,
            Operation::MaxPool { window } => window,
            _ => panic!("{} has no window", self.dispatch.label()),
        }
    }

    /// Counts this dispatch with the loops of its kernel.
    pub fn count(&self) -> Counted {
        match self.dispatch.kernel.name {
            "batch_gather" => self.batch_gather(),
            "conv_forward" => self.conv_forward(),
            "conv_backward_input" => self.conv_backward_input(),
            "conv_backward_weight" => self.conv_backward_weight(),
            "conv_backward_weight_reduce" => self.conv_backward_weight_reduce(),
            "conv_backward_bias" => self.conv_backward_bias(),
            "max_pool_forward" => self.max_pool_forward(),
            "max_pool_backward" => self.max_pool_backward(),
            "dropout_forward" | "dropout_backward" => self.dropout(),
            "dense_forward" => self.dense_forward(),
            "dense_backward_input" => self.dense_backward_input(),
            "dense_backward_weight" => self.dense_backward_weight(),
            "dense_backward_bias" => self.dense_backward_bias(),
            "softmax_cross_entropy_forward" => self.softmax_cross_entropy_forward(),
            "softmax_cross_entropy_backward" => self.softmax_cross_entropy_backward(),
            "metrics_reduce" => self.metrics_reduce(),
            "sgd_update" => self.sgd_update(),
            other => panic!("nothing counts {other}: write its loops"),
        }
    }

    fn batch_gather(&self) -> Counted {
        let pixels: Vec<u8> = (0..TOTAL * IMAGE_PIXELS).map(|place| (place * 7 % 251) as u8).collect();
        let all_labels: Vec<u8> = (0..TOTAL).map(|image| (image % CLASSES) as u8).collect();
        let indices: Vec<u32> = (0..self.n as u32).map(|place| place * 7 % TOTAL as u32).collect();
        let mut memory = Memory::default();
        let images = memory.holding_bytes(&pixels);
        let labels = memory.holding(&floats(&all_labels));
        let order = memory.holding(&floats(&indices));
        let (x, targets) = (memory.empty(self.n * IMAGE_PIXELS), memory.empty(self.n));
        for n in 0..self.n {
            let image = memory.get(order, n) as usize;
            for i in 0..IMAGE_PIXELS {
                let pixel = memory.get(images, image * IMAGE_PIXELS + i);
                let fraction = memory.op(pixel / 255.0);
                memory.set(x, n * IMAGE_PIXELS + i, fraction);
            }
            let label = memory.get(labels, image);
            memory.set(targets, n, label);
        }
        let (expected, expected_labels) = reference::batch_gather(&pixels, &all_labels, &indices);
        Counted { memory, outputs: vec![(x, expected), (targets, floats(&expected_labels))] }
    }

    fn conv_forward(&self) -> Counted {
        let (layer, kernel) = (self.layer(), self.kernel_side());
        let (input, output) = (layer.input, layer.output);
        let xs = self.random(0, self.n * input.elements());
        let weights = self.random(1, output.channels * input.channels * kernel * kernel);
        let biases = self.random(2, output.channels);
        let mut memory = Memory::default();
        let (x, weight, bias) = (memory.holding(&xs), memory.holding(&weights), memory.holding(&biases));
        let y = memory.empty(self.n * output.elements());
        each([self.n, output.channels, output.height, output.width], |at, [n, o, r, c]| {
            let mut sum = memory.get(bias, o);
            each([1, input.channels, kernel, kernel], |tap, [_, i, a, b]| {
                let value = memory.get(x, ((n * input.channels + i) * input.height + r + a) * input.width + c + b);
                let factor = memory.get(weight, o * input.channels * kernel * kernel + tap);
                sum = memory.multiply_add(sum, value, factor);
            });
            memory.set(y, at, sum.max(0.0));
        });
        Counted { memory, outputs: vec![(y, reference::conv_forward(layer, &xs, &weights, &biases))] }
    }

    fn conv_backward_input(&self) -> Counted {
        let (layer, kernel) = (self.layer(), self.kernel_side());
        let (input, output) = (layer.input, layer.output);
        let gradients = self.random(0, self.n * output.elements());
        let weights = self.random(1, output.channels * input.channels * kernel * kernel);
        let mut memory = Memory::default();
        let (dy, weight) = (memory.holding(&gradients), memory.holding(&weights));
        let dx = memory.empty(self.n * input.elements());
        each([self.n, input.channels, input.height, input.width], |at, [n, i, r, c]| {
            let mut sum = 0.0;
            each([1, output.channels, kernel, kernel], |_, [_, o, a, b]| {
                // Outside its bounds dy is 0 and there is nothing to read.
                if r < a || c < b || r - a >= output.height || c - b >= output.width {
                    return;
                }
                let from = ((n * output.channels + o) * output.height + r - a) * output.width + c - b;
                let gradient = memory.get(dy, from);
                let factor = memory.get(weight, ((o * input.channels + i) * kernel + a) * kernel + b);
                sum = memory.multiply_add(sum, gradient, factor);
            });
            memory.set(dx, at, sum);
        });
        Counted { memory, outputs: vec![(dx, reference::conv_backward_input(layer, &gradients, &weights))] }
    }

    fn conv_backward_weight(&self) -> Counted {
        let (layer, kernel) = (self.layer(), self.kernel_side());
        let (input, output) = (layer.input, layer.output);
        let chunk = self.dispatch.constant("CHUNK") as usize;
        let (xs, gradients) = (self.random(0, self.n * input.elements()), self.random(1, self.n * output.elements()));
        let mut memory = Memory::default();
        let (x, dy) = (memory.holding(&xs), memory.holding(&gradients));
        let weights = output.channels * input.channels * kernel * kernel;
        let chunks = self.n.div_ceil(chunk);
        let partial = memory.empty(chunks * weights);
        for k in 0..chunks {
            each([output.channels, input.channels, kernel, kernel], |at, [o, i, a, b]| {
                let mut sum = 0.0;
                let images = (self.n - k * chunk).min(chunk);
                each([1, images, output.height, output.width], |_, [_, place, r, c]| {
                    let n = k * chunk + place;
                    let from = ((n * output.channels + o) * output.height + r) * output.width + c;
                    let gradient = memory.get(dy, from);
                    let value = memory.get(x, ((n * input.channels + i) * input.height + r + a) * input.width + c + b);
                    sum = memory.multiply_add(sum, gradient, value);
                });
                memory.set(partial, k * weights + at, sum);
            });
        }
        let (of_x, of_dy) = (chunk * input.elements(), chunk * output.elements());
        let chunks = xs.chunks(of_x).zip(gradients.chunks(of_dy));
        let expected = chunks.flat_map(|(x, dy)| reference::conv_backward_weight(layer, x, dy)).collect();
        Counted { memory, outputs: vec![(partial, expected)] }
    }

    fn conv_backward_weight_reduce(&self) -> Counted {
        let elements = self.dispatch.constant("ELEMENTS") as usize;
        let chunks = self.n.div_ceil(self.dispatch.constant("CHUNK") as usize);
        let partials = self.random(0, chunks * elements);
        let mut memory = Memory::default();
        let partial = memory.holding(&partials);
        let dweight = memory.empty(elements);
        for j in 0..elements {
            let mut total = 0.0;
            for k in 0..chunks {
                let value = memory.get(partial, k * elements + j);
                total = memory.op(total + value);
            }
            memory.set(dweight, j, total);
        }
        // The reference makes the whole gradient at once; what its chunks add up to is a plain sum.
        let expected = (0..elements).map(|j| partials.iter().skip(j).step_by(elements).sum()).collect();
        Counted { memory, outputs: vec![(dweight, expected)] }
    }

    fn conv_backward_bias(&self) -> Counted {
        let (layer, output) = (self.layer(), self.layer().output);
        let gradients = self.random(0, self.n * output.elements());
        let mut memory = Memory::default();
        let dy = memory.holding(&gradients);
        let dbias = memory.empty(output.channels);
        for o in 0..output.channels {
            let mut sum = 0.0;
            for n in 0..self.n {
                for position in 0..output.positions() {
                    let gradient = memory.get(dy, (n * output.channels + o) * output.positions() + position);
                    sum = memory.op(sum + gradient);
                }
            }
            memory.set(dbias, o, sum);
        }
        Counted { memory, outputs: vec![(dbias, reference::conv_backward_bias(layer, &gradients))] }
    }

    fn max_pool_forward(&self) -> Counted {
        let (layer, window) = (self.layer(), self.kernel_side());
        let (input, output) = (layer.input, layer.output);
        let xs = self.random(0, self.n * input.elements());
        let mut memory = Memory::default();
        let x = memory.holding(&xs);
        let [y, argmax] = [0; 2].map(|_| memory.empty(self.n * output.elements()));
        each([self.n, output.channels, output.height, output.width], |at, [n, c, r, s]| {
            let plane = n * input.channels + c;
            let (mut best, mut place) = (f64::NAN, 0);
            each([1, 1, window, window], |here, [_, _, a, b]| {
                let value = memory.get(x, (plane * input.height + window * r + a) * input.width + window * s + b);
                // The first value needs no comparison.
                if here == 0 || memory.op(value) > best {
                    (best, place) = (value, here);
                }
            });
            memory.set(y, at, best);
            memory.set(argmax, at, place as f64);
        });
        let (expected, expected_argmax) = reference::max_pool_forward(layer, &xs);
        Counted { memory, outputs: vec![(y, expected), (argmax, floats(&expected_argmax))] }
    }

    fn max_pool_backward(&self) -> Counted {
        let (layer, window) = (self.layer(), self.kernel_side());
        let (input, output) = (layer.input, layer.output);
        let count = self.n * output.elements();
        let (gradients, ys) = (self.random(0, count), self.random(1, count));
        let places: Vec<u32> = (0..count).map(|place| (place * 7 % (window * window)) as u32).collect();
        let mut memory = Memory::default();
        let (dy, y) = (memory.holding(&gradients), memory.holding(&ys));
        let argmax = memory.holding(&floats(&places));
        let dx = memory.empty(self.n * input.elements());
        each([self.n, input.channels, input.height, input.width], |at, [n, c, row, column]| {
            let (r, s, a, b) = (row / window, column / window, row % window, column % window);
            let mut gradient = 0.0;
            // Rows and columns that fill no window have no gradient. What a value holds does not decide what is read.
            if r < output.height && s < output.width {
                let from = ((n * output.channels + c) * output.height + r) * output.width + s;
                let (value, place, passed) = (memory.get(dy, from), memory.get(argmax, from), memory.get(y, from));
                if place as usize == window * a + b && passed > 0.0 {
                    gradient = value;
                }
            }
            memory.set(dx, at, gradient);
        });
        Counted { memory, outputs: vec![(dx, reference::max_pool_backward(layer, &gradients, &places, &ys))] }
    }

    fn dropout(&self) -> Counted {
        let Operation::Dropout { rate } = self.layer().operation else { panic!("no dropout") };
        let key = ["KEY_LOW", "KEY_HIGH"].map(|name| self.dispatch.constant(name) as u32);
        let threshold = self.dispatch.constant("THRESHOLD") as u32;
        let scale = self.dispatch.constant("SCALE");
        let values = self.random(0, self.n * self.layer().input.elements());
        let mut memory = Memory::default();
        let from = memory.holding(&values);
        let to = memory.empty(values.len());
        for e in 0..values.len() {
            let kept = rng::threefry2x32(key, [e as u32, STEP])[0] >= threshold;
            let value = memory.get(from, e);
            let product = memory.op(value * if kept { scale } else { 0.0 });
            memory.set(to, e, product);
        }
        let expected = match self.dispatch.kernel.name {
            "dropout_forward" => reference::dropout_forward(&values, key, STEP, rate),
            _ => reference::dropout_backward(&values, key, STEP, rate),
        };
        Counted { memory, outputs: vec![(to, expected)] }
    }
}

/// Calls `visit` with every index into `shape`, and its place in the order of memory.
fn each([d0, d1, d2, d3]: [usize; 4], mut visit: impl FnMut(usize, [usize; 4])) {
    for place in 0..d0 * d1 * d2 * d3 {
        visit(place, [place / (d1 * d2 * d3), place / (d2 * d3) % d1, place / d3 % d2, place % d3]);
    }
}

pub fn pairs(first: usize, second: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..first).flat_map(move |a| (0..second).map(move |b| (a, b)))
}

pub fn floats<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}
