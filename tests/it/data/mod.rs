//! Data: files, which of them a run takes, and how they are downloaded.

mod choice;
mod download;
mod files;

use flate2::Compression;
use flate2::write::GzEncoder;
use gpubench::data::idx::FILES;
use std::io::Write;
use tempfile::TempDir;

/// An IDX file of images of `rows` x `columns` pixels, all of one grey.
pub fn images(count: u32, rows: u32, columns: u32) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0x0803, count, rows, columns].iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.resize(16 + (count * rows * columns) as usize, 7);
    bytes
}

pub fn labels(values: &[u8]) -> Vec<u8> {
    let header = [0x0801, values.len() as u32].iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    [header, values.to_vec()].concat()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Four small files, right in all but their counts.
pub fn small() -> [Vec<u8>; 4] {
    [images(3, 28, 28), labels(&[1, 2, 3]), images(2, 28, 28), labels(&[4, 5])]
}

/// Four files of the right size.
pub fn full_size() -> [Vec<u8>; 4] {
    let classes = |count: usize| (0..count).map(|index| (index % 10) as u8).collect::<Vec<u8>>();
    [images(60_000, 28, 28), labels(&classes(60_000)), images(10_000, 28, 28), labels(&classes(10_000))]
}

pub fn folder_with(contents: &[Vec<u8>; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in FILES.iter().zip(contents) {
        std::fs::write(folder.path().join(file.name), content).unwrap();
    }
    folder
}
