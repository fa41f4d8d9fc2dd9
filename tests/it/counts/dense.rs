//! The loops of the kernels without windows: dense layers, the loss, sums, the update.

use super::kernels::{Case, Counted, LEARNING_RATE, MOMENTUM, floats, pairs};
use super::memory::{Array, Memory};
use gpubench::model::CLASSES;
use gpubench::reference;

impl Case<'_> {
    pub fn dense_forward(&self) -> Counted {
        let (inputs, outputs) = self.elements();
        let relu = self.dispatch.constant("RELU") != 0.0;
        let xs = self.random(0, self.n * inputs);
        let (weights, biases) = (self.random(1, outputs * inputs), self.random(2, outputs));
        let mut memory = Memory::default();
        let (x, weight, bias) = (memory.holding(&xs), memory.holding(&weights), memory.holding(&biases));
        let y = memory.empty(self.n * outputs);
        for (n, o) in pairs(self.n, outputs) {
            let mut sum = memory.get(bias, o);
            for i in 0..inputs {
                let (value, factor) = (memory.get(x, n * inputs + i), memory.get(weight, o * inputs + i));
                sum = memory.multiply_add(sum, value, factor);
            }
            memory.set(y, n * outputs + o, if relu { sum.max(0.0) } else { sum });
        }
        Counted { memory, outputs: vec![(y, reference::dense_forward(self.layer(), &xs, &weights, &biases))] }
    }

    pub fn dense_backward_input(&self) -> Counted {
        let (inputs, outputs) = self.elements();
        let relu_before = self.dispatch.constant("RELU_BEFORE") != 0.0;
        let (gradients, xs) = (self.random(0, self.n * outputs), self.random(1, self.n * inputs));
        let weights = self.random(2, outputs * inputs);
        let mut memory = Memory::default();
        let (dy, x, weight) = (memory.holding(&gradients), memory.holding(&xs), memory.holding(&weights));
        let dx = memory.empty(self.n * inputs);
        for (n, i) in pairs(self.n, inputs) {
            let mut sum = 0.0;
            for o in 0..outputs {
                let (gradient, factor) = (memory.get(dy, n * outputs + o), memory.get(weight, o * inputs + i));
                sum = memory.multiply_add(sum, gradient, factor);
            }
            let stopped = relu_before && memory.get(x, n * inputs + i) <= 0.0;
            memory.set(dx, n * inputs + i, if stopped { 0.0 } else { sum });
        }
        let relu = relu_before.then_some(xs.as_slice());
        let expected = reference::dense_backward_input(self.layer(), &gradients, &weights, relu);
        Counted { memory, outputs: vec![(dx, expected)] }
    }

    pub fn dense_backward_weight(&self) -> Counted {
        let (inputs, outputs) = self.elements();
        let (xs, gradients) = (self.random(0, self.n * inputs), self.random(1, self.n * outputs));
        let mut memory = Memory::default();
        let (x, dy) = (memory.holding(&xs), memory.holding(&gradients));
        let dweight = memory.empty(outputs * inputs);
        for (o, i) in pairs(outputs, inputs) {
            let mut sum = 0.0;
            for n in 0..self.n {
                let (gradient, value) = (memory.get(dy, n * outputs + o), memory.get(x, n * inputs + i));
                sum = memory.multiply_add(sum, gradient, value);
            }
            memory.set(dweight, o * inputs + i, sum);
        }
        Counted { memory, outputs: vec![(dweight, reference::dense_backward_weight(self.layer(), &xs, &gradients))] }
    }

    pub fn dense_backward_bias(&self) -> Counted {
        let (_, outputs) = self.elements();
        let gradients = self.random(0, self.n * outputs);
        let mut memory = Memory::default();
        let dy = memory.holding(&gradients);
        let dbias = memory.empty(outputs);
        for o in 0..outputs {
            let mut sum = 0.0;
            for n in 0..self.n {
                let gradient = memory.get(dy, n * outputs + o);
                sum = memory.op(sum + gradient);
            }
            memory.set(dbias, o, sum);
        }
        Counted { memory, outputs: vec![(dbias, reference::dense_backward_bias(self.layer(), &gradients))] }
    }

    pub fn softmax_cross_entropy_forward(&self) -> Counted {
        let (logits, labels) = (self.random(0, self.n * CLASSES), self.labels());
        let mut memory = Memory::default();
        let (z, targets) = (memory.holding(&logits), memory.holding(&floats(&labels)));
        let [loss, correct] = [0; 2].map(|_| memory.empty(self.n));
        for n in 0..self.n {
            let (m, first, sum, _) = exponentials(&mut memory, z, n);
            let t = memory.get(targets, n) as usize;
            let logarithm = memory.op(sum.ln());
            let shifted = memory.op(logarithm + m);
            let right = memory.get(z, n * CLASSES + t);
            let value = memory.op(shifted - right);
            memory.set(loss, n, value);
            memory.set(correct, n, f64::from(u8::from(first == t)));
        }
        let (expected, right) = reference::softmax_cross_entropy_forward(&logits, &labels);
        Counted { memory, outputs: vec![(loss, expected), (correct, floats(&right))] }
    }

    pub fn softmax_cross_entropy_backward(&self) -> Counted {
        let (logits, labels) = (self.random(0, self.n * CLASSES), self.labels());
        let mut memory = Memory::default();
        let (z, targets) = (memory.holding(&logits), memory.holding(&floats(&labels)));
        let dz = memory.empty(self.n * CLASSES);
        for n in 0..self.n {
            let (_, _, sum, exponentials) = exponentials(&mut memory, z, n);
            let t = memory.get(targets, n) as usize;
            for (k, exponential) in exponentials.into_iter().enumerate() {
                let probability = memory.op(exponential / sum);
                let difference = memory.op(probability - f64::from(u8::from(k == t)));
                let mean = memory.op(difference / self.n as f64);
                memory.set(dz, n * CLASSES + k, mean);
            }
        }
        let expected = reference::softmax_cross_entropy_backward(&logits, &labels);
        Counted { memory, outputs: vec![(dz, expected)] }
    }

    pub fn metrics_reduce(&self) -> Counted {
        let losses = self.random(0, self.n);
        let right: Vec<u32> = (0..self.n as u32).map(|image| image % 2).collect();
        let mut memory = Memory::default();
        let (loss, correct) = (memory.holding(&losses), memory.holding(&floats(&right)));
        let metrics = memory.empty(2);
        for (place, array) in [loss, correct].into_iter().enumerate() {
            let mut sum = 0.0;
            for n in 0..self.n {
                let value = memory.get(array, n);
                sum = memory.op(sum + value);
            }
            memory.set(metrics, place, sum);
        }
        let (loss, correct) = reference::metrics_reduce(&losses, &right);
        Counted { memory, outputs: vec![(metrics, vec![loss, f64::from(correct)])] }
    }

    pub fn sgd_update(&self) -> Counted {
        let count = self.model.parameter_count();
        let gradients = self.random(0, count);
        let (mut velocities, mut parameters) = (self.random(1, count), self.random(2, count));
        let mut memory = Memory::default();
        let [g, v, w] = [&gradients, &velocities, &parameters].map(|values| memory.holding(values));
        for j in 0..count {
            let (gradient, velocity, parameter) = (memory.get(g, j), memory.get(v, j), memory.get(w, j));
            let kept = memory.op(MOMENTUM * velocity);
            let pushed = memory.op(LEARNING_RATE * gradient);
            let velocity = memory.op(kept - pushed);
            memory.set(v, j, velocity);
            let moved = memory.op(parameter + velocity);
            memory.set(w, j, moved);
        }
        reference::sgd_update(&mut parameters, &mut velocities, &gradients, LEARNING_RATE, MOMENTUM);
        Counted { memory, outputs: vec![(v, velocities), (w, parameters)] }
    }
}

/// The largest logit of image `n`, its class, the sum of exp(z - largest) over the classes, and its terms.
fn exponentials(memory: &mut Memory, z: Array, n: usize) -> (f64, usize, f64, Vec<f64>) {
    let (mut largest, mut class) = (memory.get(z, n * CLASSES), 0);
    for k in 1..CLASSES {
        let logit = memory.get(z, n * CLASSES + k);
        if memory.op(logit) > largest {
            (largest, class) = (logit, k);
        }
    }
    let (mut sum, mut terms) = (0.0, Vec::new());
    for k in 0..CLASSES {
        let logit = memory.get(z, n * CLASSES + k);
        let difference = memory.op(logit - largest);
        let exponential = memory.op(difference.exp());
        sum = memory.op(sum + exponential);
        terms.push(exponential);
    }
    (largest, class, sum, terms)
}
