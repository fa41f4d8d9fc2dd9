//! The data sets whose files are known by their names, and what becomes of each: it is trained on, or refused with a
//! reason.
//!
//! Sources: C. Yadav, L. Bottou, "Cold Case: the Lost MNIST Digits" (QMNIST: labels are rows of eight integers of which
//! the first is the class; its first 10,000 test images are MNIST's, in the same order); G. Cohen et al., "EMNIST: an
//! extension of MNIST to handwritten letters" (images are stored column by column; the letters' labels go from 1 to
//! 26).

use super::idx::{Content, FILES, IdxFile};
use crate::model::{CLASSES, IMAGE_PIXELS, IMAGE_SIDE};

/// A data set of four files with names of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSet {
    /// Name for people; empty for MNIST's names, which other data of the same shape bear too.
    pub name: &'static str,
    /// Training images and labels, test images and labels. Those of a refused set are only looked for.
    pub files: [IdxFile; 4],
    /// Whether images are stored column by column.
    pub transposed: bool,
    /// Why the network cannot be trained on it, if it cannot.
    pub refusal: Option<&'static str>,
}

/// The four files `$stem-train-images-...` and so on of EMNIST's split `$split`.
macro_rules! emnist {
    ($split:literal, $train:expr, $test:expr, $refusal:expr) => {
        KnownSet {
            name: concat!("EMNIST ", $split),
            files: [
                file(concat!("emnist-", $split, "-train-images-idx3-ubyte"), Content::Images, $train),
                file(concat!("emnist-", $split, "-train-labels-idx1-ubyte"), Content::Labels, $train),
                file(concat!("emnist-", $split, "-test-images-idx3-ubyte"), Content::Images, $test),
                file(concat!("emnist-", $split, "-test-labels-idx1-ubyte"), Content::Labels, $test),
            ],
            transposed: true,
            refusal: $refusal,
        }
    };
}

/// The known data sets; where a folder holds several, the first of them is taken.
pub static SETS: [KnownSet; 8] = [
    KnownSet { name: "", files: FILES, transposed: false, refusal: None },
    KnownSet {
        name: "QMNIST",
        files: [
            file("qmnist-train-images-idx3-ubyte", Content::Images, 60_000),
            file("qmnist-train-labels-idx2-int", Content::LabelRows, 60_000),
            file("qmnist-test-images-idx3-ubyte", Content::Images, 60_000),
            file("qmnist-test-labels-idx2-int", Content::LabelRows, 60_000),
        ],
        transposed: false,
        refusal: None,
    },
    emnist!("mnist", 60_000, 10_000, None),
    emnist!("digits", 240_000, 40_000, None),
    emnist!("letters", 124_800, 20_800, Some("it has 26 classes, with labels from 1 to 26")),
    emnist!("balanced", 112_800, 18_800, Some("it has 47 classes")),
    emnist!("bymerge", 697_932, 116_323, Some("it has 47 classes")),
    emnist!("byclass", 697_932, 116_323, Some("it has 62 classes")),
];

/// A file that no digest is known of.
const fn file(name: &'static str, content: Content, items: usize) -> IdxFile {
    IdxFile { name, content, items, mnist_sha256: "" }
}

impl KnownSet {
    /// How many of the items of file `index` are used: as many as the task has, from the first on.
    pub const fn used_items(&self, index: usize) -> usize {
        FILES[index].items
    }

    /// One line on what is trained on, `None` for files under MNIST's names: "QMNIST (the first 10000 of 60000 test
    /// images)".
    pub fn description(&self) -> Option<String> {
        let mut remarks = Vec::new();
        for (index, split) in [(0, "training"), (2, "test")] {
            let (used, items) = (self.used_items(index), self.files[index].items);
            if used < items {
                remarks.push(format!("the first {used} of {items} {split} images"));
            }
        }
        if self.transposed {
            remarks.push("images transposed to be upright".to_owned());
        }
        let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) };
        (!self.name.is_empty()).then(|| format!("{}{remarks}", self.name))
    }

    /// The sentence that refuses the set, if it is refused.
    pub fn refused(&self) -> Option<String> {
        let reason = self.refusal?;
        Some(format!("{} cannot be trained on: {reason}, but the network has {CLASSES}, for digits", self.name))
    }

    /// File `index` as MNIST would have it: as many items as the task uses, images row by row, labels one byte each.
    ///
    /// `bytes` passed [`check`](super::idx::check) and [`check_counts`](super::idx::check_counts).
    pub fn as_mnist(&self, index: usize, bytes: Vec<u8>) -> Vec<u8> {
        let (content, used) = (self.files[index].content, self.used_items(index));
        if self.name.is_empty() {
            return bytes;
        }
        let payload = &bytes[content.header_bytes()..][..used * content.item_bytes()];
        let mut standard: Vec<u8> = FILES[index].content.magic().to_be_bytes().to_vec();
        standard.extend((used as u32).to_be_bytes());
        if content == Content::Images {
            [IMAGE_SIDE, IMAGE_SIDE].iter().for_each(|side| standard.extend((*side as u32).to_be_bytes()));
            standard.reserve(payload.len());
        }
        match content {
            Content::Images if self.transposed => payload.chunks_exact(IMAGE_PIXELS).for_each(|image| {
                let pixel = |at: usize| image[at % IMAGE_SIDE * IMAGE_SIDE + at / IMAGE_SIDE];
                standard.extend((0..IMAGE_PIXELS).map(pixel));
            }),
            Content::Images => standard.extend_from_slice(payload),
            Content::Labels | Content::LabelRows => {
                // The checks found that classes fit a byte.
                standard.extend(content.classes(payload).map(|class| class as u8));
            }
        }
        standard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_be_bytes()).collect()
    }

    #[test]
    fn images_stored_by_columns_come_out_by_rows() {
        let emnist = SETS.iter().find(|set| set.name == "EMNIST mnist").unwrap();
        let mut bytes = words(&[0x0803, 10_000, 28, 28]);
        bytes.resize(16 + 10_000 * IMAGE_PIXELS, 0);
        // Column 3, row 5 of image 1.
        bytes[16 + IMAGE_PIXELS + 3 * 28 + 5] = 200;
        let standard = emnist.as_mnist(2, bytes.clone());
        assert_eq!(standard[..16], bytes[..16]);
        let set: Vec<usize> = (16..standard.len()).filter(|&at| standard[at] != 0).collect();
        assert_eq!((set, standard.len()), (vec![16 + IMAGE_PIXELS + 5 * 28 + 3], bytes.len()));
    }

    #[test]
    fn rows_of_labels_become_classes_and_what_the_task_does_not_use_is_left_out() {
        let qmnist = SETS.iter().find(|set| set.name == "QMNIST").unwrap();
        let mut bytes = words(&[0x0c02, 60_000, 8]);
        (0..60_000u32).for_each(|index| bytes.extend(words(&[index % 10, 9, 9, 9, 9, 9, 9, 9])));
        let standard = qmnist.as_mnist(3, bytes);
        assert_eq!(standard[..8], words(&[0x0801, 10_000])[..]);
        assert_eq!((standard.len(), &standard[8..20]), (8 + 10_000, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1][..]));
    }

    #[test]
    fn what_is_trained_on_is_described() {
        let described: Vec<String> =
            SETS.iter().filter(|set| set.refusal.is_none()).filter_map(KnownSet::description).collect();
        let expected = [
            "QMNIST (the first 10000 of 60000 test images)",
            "EMNIST mnist (images transposed to be upright)",
            "EMNIST digits (the first 60000 of 240000 training images, the first 10000 of 40000 test images, \
             images transposed to be upright)",
        ];
        assert_eq!(described, expected);
    }
}
