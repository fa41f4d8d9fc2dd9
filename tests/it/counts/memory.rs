//! Memory that records which of its values are read and written, and arithmetic that counts itself.

/// One array of a [`Memory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array(usize);

struct Contents {
    values: Vec<f64>,
    value_bytes: u64,
    read: Vec<bool>,
    written: Vec<bool>,
}

/// Arrays whose every access is recorded, and a count of operations.
#[derive(Default)]
pub struct Memory {
    arrays: Vec<Contents>,
    flop: u64,
}

impl Memory {
    /// An array that holds `values`, of 4 bytes each on the device.
    pub fn holding(&mut self, values: &[f64]) -> Array {
        self.add(values.to_vec(), 4)
    }

    /// An array that holds bytes.
    pub fn holding_bytes(&mut self, values: &[u8]) -> Array {
        self.add(values.iter().copied().map(f64::from).collect(), 1)
    }

    /// An array of `length` values of 4 bytes that nobody has set.
    pub fn empty(&mut self, length: usize) -> Array {
        self.add(vec![f64::NAN; length], 4)
    }

    fn add(&mut self, values: Vec<f64>, value_bytes: u64) -> Array {
        let untouched = vec![false; values.len()];
        self.arrays.push(Contents { values, value_bytes, read: untouched.clone(), written: untouched });
        Array(self.arrays.len() - 1)
    }

    /// Reads a value.
    pub fn get(&mut self, array: Array, index: usize) -> f64 {
        let contents = &mut self.arrays[array.0];
        contents.read[index] = true;
        contents.values[index]
    }

    /// Writes a value.
    pub fn set(&mut self, array: Array, index: usize, value: f64) {
        let contents = &mut self.arrays[array.0];
        contents.written[index] = true;
        contents.values[index] = value;
    }

    /// Counts one operation and hands on its result.
    pub fn op(&mut self, result: f64) -> f64 {
        self.flop += 1;
        result
    }

    /// Counts a multiplication and an addition.
    pub fn multiply_add(&mut self, sum: f64, a: f64, b: f64) -> f64 {
        self.flop += 2;
        sum + a * b
    }

    /// All values of an array; this is no access.
    pub fn values(&self, array: Array) -> &[f64] {
        &self.arrays[array.0].values
    }

    /// Operations so far.
    pub fn flop(&self) -> u64 {
        self.flop
    }

    /// Bytes of all values that were read, and of all that were written, each counted once.
    pub fn bytes(&self) -> u64 {
        let touched = |flags: &[bool]| flags.iter().filter(|flag| **flag).count() as u64;
        self.arrays
            .iter()
            .map(|contents| contents.value_bytes * (touched(&contents.read) + touched(&contents.written)))
            .sum()
    }
}
