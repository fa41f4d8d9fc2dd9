//! Counter-based random numbers: every draw is a pure function of (seed, stream, counter).
//!
//! The generator is Threefry-2x32 with 20 rounds. It needs only 32-bit additions, rotations and exclusive-ors, so that
//! the WGSL version in `shaders/shared/threefry.wgsl` gives the same bits on every adapter, without any state.
//!
//! Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// Rotation distances of the eight distinct Threefry-2x32 rounds (table 2 of the paper).
pub const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
/// The Skein key-schedule constant for 32-bit words.
pub const PARITY: u32 = 0x1BD1_1BDA;

/// One Threefry-2x32-20 block: two words of output for a two-word key and a two-word counter.
pub const fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let schedule = [key[0], key[1], PARITY ^ key[0] ^ key[1]];
    let mut x0 = counter[0].wrapping_add(schedule[0]);
    let mut x1 = counter[1].wrapping_add(schedule[1]);
    let mut round = 0;
    while round < 20 {
        x0 = x0.wrapping_add(x1);
        x1 = x1.rotate_left(ROTATIONS[round % 8]) ^ x0;
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            x0 = x0.wrapping_add(schedule[injection % 3]);
            x1 = x1.wrapping_add(schedule[(injection + 1) % 3]).wrapping_add(injection as u32);
        }
        round += 1;
    }
    [x0, x1]
}

/// The purpose of a random number. Each purpose has its own stream, so that no two purposes share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Initial weights; the second counter word is the index of the parameter tensor.
    Init = 0,
    /// The order of the training images; the second counter word is the epoch.
    Shuffle = 1,
    /// Dropout masks; the second counter word is the training step.
    Dropout = 2,
    /// Synthetic digits; the second counter word is the index of the image.
    Synthetic = 3,
    /// Inputs of checks and tests; the second counter word is the case.
    Check = 4,
}

/// The key of one stream of one seed.
pub const fn stream_key(seed: u64, stream: Stream) -> [u32; 2] {
    threefry2x32([seed as u32, (seed >> 32) as u32], [stream as u32, 0])
}

/// Consecutive numbers of one stream: words 0, 1, 2, ... at a fixed second counter word.
#[derive(Debug, Clone)]
pub struct Sequence {
    key: [u32; 2],
    substream: u32,
    next: u32,
    spare: Option<u32>,
}

impl Sequence {
    /// The sequence of `stream` under `seed`, at the second counter word `substream` (an epoch, a tensor, an image).
    pub const fn new(seed: u64, stream: Stream, substream: u32) -> Self {
        Self { key: stream_key(seed, stream), substream, next: 0, spare: None }
    }

    /// 32 uniformly distributed bits.
    pub fn next_u32(&mut self) -> u32 {
        if let Some(word) = self.spare.take() {
            return word;
        }
        let [first, second] = threefry2x32(self.key, [self.next, self.substream]);
        self.next = self.next.wrapping_add(1);
        self.spare = Some(second);
        first
    }

    /// A uniform number in [0, 1) with 24 random bits, exact in f32.
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// A uniform integer in [0, bound), by multiplication (D. Lemire, "Fast random integer generation in an interval",
    /// ACM TOMACS 2019) with rejection, and therefore without bias.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "an empty interval contains no number");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// A random permutation of 0 .. length, by the Fisher-Yates shuffle.
    pub fn permutation(&mut self, length: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..length).collect();
        for last in (1..length).rev() {
            order.swap(last as usize, self.below(last + 1) as usize);
        }
        order
    }
}

/// The smallest random word for which dropout with probability `rate` keeps a value.
///
/// A value is kept if its word is not below the threshold; `rate` must be in [0, 1).
pub fn dropout_threshold(rate: f32) -> u32 {
    (f64::from(rate) * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threefry_matches_the_known_answers_of_random123() {
        let cases = [
            ([0, 0], [0, 0], [0x6b20_0159, 0x99ba_4efe]),
            ([u32::MAX, u32::MAX], [u32::MAX, u32::MAX], [0x1cb9_96fc, 0xbb00_2be7]),
            ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3], [0xc492_3a9c, 0x483d_f7a0]),
        ];
        for (key, counter, expected) in cases {
            assert_eq!(threefry2x32(key, counter), expected);
        }
    }

    #[test]
    fn streams_and_substreams_differ() {
        let first = |stream, substream| Sequence::new(7, stream, substream).next_u32();
        assert_ne!(first(Stream::Init, 0), first(Stream::Shuffle, 0));
        assert_ne!(first(Stream::Init, 0), first(Stream::Init, 1));
    }

    #[test]
    fn a_permutation_holds_every_index_once_and_depends_on_the_epoch() {
        let first = Sequence::new(1, Stream::Shuffle, 0).permutation(60_000);
        let second = Sequence::new(1, Stream::Shuffle, 1).permutation(60_000);
        assert_ne!(first, second);
        let mut sorted = first;
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..60_000));
    }

    #[test]
    fn uniform_numbers_have_the_right_mean_and_range() {
        let mut sequence = Sequence::new(3, Stream::Check, 0);
        let draws: Vec<f64> = (0..100_000).map(|_| f64::from(sequence.uniform())).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.005, "mean {mean}");
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
    }

    #[test]
    fn below_is_uniform_over_a_range_that_is_no_power_of_two() {
        let mut sequence = Sequence::new(4, Stream::Check, 0);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[sequence.below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }
}
