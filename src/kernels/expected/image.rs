//! The reference's results for the kernel that carries an image through the whole network and back.

use super::fused::{interleaved, passed};
use super::{Expected, KernelInputs};

impl KernelInputs<'_> {
    pub(in crate::kernels) fn image_forward_backward(&self) -> Vec<Expected> {
        let (pixels, targets) = self.pixels();
        let found = self.features(&pixels);
        let [pool1, pool2, fc1, fc2] =
            ["pool1", "pool2", "fc1", "fc2"].map(|name| self.model.layer(name).output.elements());
        let argmax = self.packed_argmax(&found.argmax1, &found.argmax2);
        let words = argmax.len() / self.images();
        let state = self.left("state", pool1 + words + pool2);
        let activations = self.left("activations", pool2 + fc1 + fc2);
        // Where rounding decides which of two values is the maximum, or whether a ReLU passes one, all that follows
        // depends on the kernel's choice.
        let of_kernel = self.part(&state, pool1, words);
        let chosen =
            |((place, near_tie), of_kernel): ((&u32, &u32), &f64)| (place & !near_tie) | (*of_kernel as u32 & near_tie);
        let argmax: Vec<u32> = argmax.iter().zip(&found.near_ties).zip(&of_kernel).map(chosen).collect();
        let seen = self.part(&activations, 0, pool2);
        let classified = self.classified(&found.features, &seen, &targets, &self.part(&activations, pool2, fc1 + fc2));
        let passed1 = passed(&found.y1, &self.part(&state, 0, pool1));
        let partial = self.partial(&pixels, &passed1, &self.unpacked_argmax(&argmax), &classified.dfeatures);
        let argmax = argmax.into_iter().map(f64::from).collect();
        let [dz1, dz2, dz3] = classified.dz;
        let images = self.images();
        vec![
            self.written("state", 0, interleaved([found.y1, argmax, classified.dfeatures], images)),
            self.written("activations", 0, interleaved([found.features, classified.hidden], images)),
            self.written("deltas", 0, interleaved([dz1, dz2, dz3, classified.loss, classified.correct], images)),
            self.written("partial", 0, partial),
        ]
    }
}
