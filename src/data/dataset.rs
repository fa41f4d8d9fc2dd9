//! Images, labels and data sets.

use crate::model::IMAGE_PIXELS;

/// Images and their labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// Grey values 0 (background) to 255, `[N, 28, 28]`, row by row.
    pub images: Vec<u8>,
    /// Classes 0 to 9, `[N]`.
    pub labels: Vec<u8>,
}

impl Split {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of image `index`, `[28, 28]`.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.images[index * IMAGE_PIXELS..(index + 1) * IMAGE_PIXELS]
    }
}

/// The identity of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// MNIST itself: all four files have its SHA-256.
    Mnist,
    /// Digits drawn by this program, whose error rate says nothing about real data.
    Synthetic,
    /// Other data in MNIST's format, such as Fashion-MNIST.
    Other,
}

/// A training split and a test split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The identity of the data.
    pub identity: Identity,
    /// One line for people: "MNIST", "synthetic digits (seed 1)", or the origin of other data.
    pub name: String,
    /// Where it was read from; `None` for synthetic digits.
    pub source: Option<String>,
    /// Images to train on.
    pub train: Split,
    /// Images to test on.
    pub test: Split,
}
