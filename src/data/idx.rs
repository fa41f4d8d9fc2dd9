//! IDX files, the format of MNIST: everything that can be wrong with one is found here, before a parser sees it.
//!
//! A file is plain or gzip, recognised by its first bytes. Nothing here touches the file system, so the browser can use
//! it on files a visitor drops on the page.
//!
//! Source of the format: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".

use super::format::Format;
use super::gzip::{self, Broken};
use super::{Dataset, Identity, Split};
use crate::error::{Error, Result};
pub use crate::hash::sha256_hex;
use crate::model::{CLASSES, IMAGE_PIXELS, IMAGE_SIDE};

/// What a file holds: decides its magic number, header and item size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Grey images, 28 x 28 bytes each, after a header of 16 bytes: magic, count, rows, columns.
    Images,
    /// Classes, one byte each, after a header of 8 bytes: magic, count.
    Labels,
    /// Rows of eight 32-bit integers, of which the first is the class, after a header of 12 bytes: magic, count,
    /// columns.
    LabelRows,
}

/// Integers in a row of [`Content::LabelRows`].
const LABEL_COLUMNS: usize = 8;

impl Content {
    const ALL: [Content; 3] = [Content::Images, Content::Labels, Content::LabelRows];

    /// The first word of a file, in big-endian order.
    pub const fn magic(self) -> u32 {
        match self {
            Content::Images => 0x0803,
            Content::Labels => 0x0801,
            Content::LabelRows => 0x0c02,
        }
    }

    pub(super) const fn header_bytes(self) -> usize {
        match self {
            Content::Images => 16,
            Content::Labels => 8,
            Content::LabelRows => 12,
        }
    }

    pub(super) const fn item_bytes(self) -> usize {
        match self {
            Content::Images => IMAGE_PIXELS,
            Content::Labels => 1,
            Content::LabelRows => 4 * LABEL_COLUMNS,
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Content::Images => "images",
            Content::Labels | Content::LabelRows => "labels",
        }
    }

    /// The class of each item of labels, `payload` being what follows the header; none for images.
    pub(super) fn classes(self, payload: &[u8]) -> impl Iterator<Item = u32> {
        let class = move |item: &[u8]| match (self, item) {
            (Content::Labels, [class, ..]) => Some(u32::from(*class)),
            (Content::LabelRows, [a, b, c, d, ..]) => Some(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        };
        payload.chunks_exact(self.item_bytes()).filter_map(class)
    }
}

/// Room for the zeros that may follow gzip data: more than the blocks of any archive or device.
const PADDING_BYTES: usize = 64 * 1024;

/// One of the four files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdxFile {
    /// Usual name, without `.gz`; some copies have a dot in place of the dash before `idx`.
    pub name: &'static str,
    /// What it holds.
    pub content: Content,
    /// The number of items it must hold.
    pub items: usize,
    /// SHA-256 of MNIST's own file, decompressed, in hexadecimal.
    pub mnist_sha256: &'static str,
}

/// The four files of a data set: training images and labels, test images and labels.
pub const FILES: [IdxFile; 4] = [
    IdxFile {
        name: "train-images-idx3-ubyte",
        content: Content::Images,
        items: 60_000,
        mnist_sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    IdxFile {
        name: "train-labels-idx1-ubyte",
        content: Content::Labels,
        items: 60_000,
        mnist_sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    IdxFile {
        name: "t10k-images-idx3-ubyte",
        content: Content::Images,
        items: 10_000,
        mnist_sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    IdxFile {
        name: "t10k-labels-idx1-ubyte",
        content: Content::Labels,
        items: 10_000,
        mnist_sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

impl IdxFile {
    /// The size in bytes of a right file, decompressed.
    pub const fn size_bytes(&self) -> usize {
        self.content.header_bytes() + self.items * self.content.item_bytes()
    }

    /// The most bytes worth reading of a file, plain or gzip: a longer one is wrong whatever follows.
    ///
    /// Leaves room for gzip's overhead on data that cannot be compressed, and for zeros after their end.
    pub const fn read_limit_bytes(&self) -> usize {
        self.size_bytes() + self.size_bytes() / 100 + PADDING_BYTES
    }

    /// The names under which the file is looked for, in this order: gzip before plain, dashes before dots.
    pub fn usual_names(&self) -> [String; 4] {
        let dotted = self.name.replace("-idx", ".idx");
        [format!("{}.gz", self.name), self.name.to_owned(), format!("{dotted}.gz"), dotted]
    }
}

/// What is known of a file that passed [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The number of images or labels.
    pub items: usize,
    /// SHA-256 of the decompressed file, in hexadecimal.
    pub sha256: String,
}

/// Decompresses `raw` where it is gzip, whatever its name, and leaves it as it is where not.
///
/// Never gives more than one byte above the file's right size, so that a small file cannot fill the memory.
///
/// # Errors
/// [`Error::Data`], naming the file as `shown`, if gzip data are truncated or damaged, or hold gzip data again.
pub fn decompress(file: &IdxFile, shown: &str, raw: Vec<u8>) -> Result<Vec<u8>> {
    if !gzip::is_gzip(&raw) {
        return Ok(raw);
    }
    let fail = |what: String| Err(Error::Data(format!("{shown}: {what}")));
    match gzip::decompress(&raw, file.size_bytes() + 1) {
        Ok(bytes) if gzip::is_gzip(&bytes) => {
            fail(format!("there are gzip data within its gzip data; {}", Format::Gzip.advice()))
        }
        Ok(bytes) => Ok(bytes),
        Err(Broken::Early { decompressed_bytes }) => fail(format!(
            "the gzip data end early, after {decompressed_bytes} decompressed bytes; get a fresh copy of the file"
        )),
        Err(Broken::Damaged(error)) => {
            fail(format!("the gzip data are damaged ({error}); get a fresh copy of the file"))
        }
        Err(Broken::Trailing { bytes }) => {
            fail(format!("{bytes} bytes that are no gzip data follow the gzip data; get a fresh copy of the file"))
        }
    }
}

/// Decompresses one file and checks its magic number, image size, length and labels.
///
/// Gives the decompressed file, header included, and its facts. The number of items is not compared with
/// [`IdxFile::items`] but where the file is longer than it may be; [`check_counts`] does that, as only it can tell a
/// wrong size from images and labels that do not belong together.
///
/// # Errors
/// [`Error::Data`], naming the file as `shown` and what is wrong with it.
pub fn check(file: &IdxFile, shown: &str, raw: Vec<u8>) -> Result<(Vec<u8>, Facts)> {
    let bytes = decompress(file, shown, raw)?;
    let items = check_layout(file, shown, &bytes)?;
    let wrong = |(_, class): &(usize, u32)| *class as usize >= CLASSES;
    if let Some((index, class)) = file.content.classes(&bytes[file.content.header_bytes()..]).enumerate().find(wrong) {
        return Err(Error::Data(format!(
            "{shown}: label {index} is {class}, but labels go from 0 to {}; use data with {CLASSES} classes",
            CLASSES - 1
        )));
    }
    let sha256 = sha256_hex(&bytes);
    Ok((bytes, Facts { items, sha256 }))
}

/// Checks header and length of a decompressed file and gives the number of items.
fn check_layout(file: &IdxFile, shown: &str, bytes: &[u8]) -> Result<usize> {
    let content = file.content;
    let fail = |what: String| Err(Error::Data(format!("{shown}: {what}")));
    if bytes.is_empty() {
        return fail("the file is empty; get a fresh copy of it".to_owned());
    }
    let word = |index: usize| {
        let word = bytes.get(4 * index..4 * index + 4)?;
        Some(u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
    };
    if let Some(magic) = word(0)
        && magic != content.magic()
    {
        return fail(not_idx(content, magic, bytes));
    }
    if bytes.len() < content.header_bytes() {
        return fail(format!("the file ends inside its header, after {} bytes; get a fresh copy of it", bytes.len()));
    }
    let items = word(1).unwrap_or_default() as usize;
    if content == Content::Images
        && let (Some(rows), Some(columns)) = (word(2), word(3))
        && (rows as usize, columns as usize) != (IMAGE_SIDE, IMAGE_SIDE)
    {
        return fail(format!("images are {rows} x {columns} pixels; use data with {IMAGE_SIDE} x {IMAGE_SIDE}"));
    }
    if content == Content::LabelRows
        && let Some(columns) = word(2)
        && columns as usize != LABEL_COLUMNS
    {
        return fail(format!(
            "its labels have {columns} columns where there should be {LABEL_COLUMNS}; get QMNIST's files"
        ));
    }
    if bytes.len() > file.size_bytes() && items != file.items {
        return fail(wrong_count(file, items));
    }
    let promised_bytes = content.header_bytes() as u64 + items as u64 * content.item_bytes() as u64;
    let has_bytes = bytes.len() as u64;
    if has_bytes < promised_bytes {
        return fail(format!(
            "the file is truncated: its header promises {items} {}, {promised_bytes} bytes, but it has {has_bytes}; get a fresh copy of it",
            content.plural()
        ));
    }
    if has_bytes > promised_bytes {
        return fail(format!(
            "bytes follow after the {items} {} its header promises, {promised_bytes} bytes in all; get a fresh copy of it",
            content.plural()
        ));
    }
    Ok(items)
}

/// What a file is that does not begin with the magic number of `content`.
fn not_idx(content: Content, magic: u32, bytes: &[u8]) -> String {
    let (wanted, right) = (content.plural(), content.magic());
    if let Some(format) = Format::of(bytes) {
        let (name, advice) = (format.name(), format.advice());
        return format!("it is {name}, not an IDX file of {wanted} (wrong magic number); {advice}");
    }
    let told = format!("not an IDX file of {wanted}: the magic number is {magic:#010x}, not {right:#010x}");
    match Content::ALL.into_iter().find(|other| other.magic() == magic) {
        Some(other) => format!("{told}, so that it holds {}; check which file has this name", other.plural()),
        None if magic.swap_bytes() == right => {
            format!("{told}, its bytes in reverse order; get files in the usual order")
        }
        None => format!("{told}; check which file has this name"),
    }
}

fn wrong_count(file: &IdxFile, items: usize) -> String {
    format!("{items} {} where the task has exactly {}; use data of MNIST's size", file.content.plural(), file.items)
}

/// Checks that images and labels belong together and that there are exactly as many as `files` demand.
///
/// # Errors
/// [`Error::Data`], naming the files as `shown` (in the order of [`FILES`]) and both counts.
pub fn check_counts(files: &[IdxFile; 4], facts: &[Facts; 4], shown: &[String; 4]) -> Result<()> {
    for images in [0, 2] {
        let labels = images + 1;
        if facts[images].items != facts[labels].items {
            return Err(Error::Data(format!(
                "{} holds {} images but {} holds {} labels; use files that belong together",
                shown[images], facts[images].items, shown[labels], facts[labels].items
            )));
        }
    }
    for (index, file) in files.iter().enumerate() {
        if facts[index].items != file.items {
            return Err(Error::Data(format!("{}: {}", shown[index], wrong_count(file, facts[index].items))));
        }
    }
    Ok(())
}

/// MNIST if all four files are its own, else other data.
pub fn identity(facts: &[Facts; 4]) -> Identity {
    let same = FILES.iter().zip(facts).all(|(file, facts)| facts.sha256 == file.mnist_sha256);
    if same { Identity::Mnist } else { Identity::Other }
}

/// The name of data for people: "MNIST", or for other data where they came from.
pub fn dataset_name(identity: Identity, source: &str) -> String {
    match identity {
        Identity::Mnist => "MNIST".to_owned(),
        _ => format!("other data in MNIST's format ({source})"),
    }
}

/// Checks and parses four files that are already in memory, plain or gzip, in the order of [`FILES`].
///
/// `source` says where they came from; it becomes the source of the data set.
///
/// # Errors
/// [`Error::Data`] for everything [`check`] and [`check_counts`] find.
pub fn parse(raw: [Vec<u8>; 4], source: &str) -> Result<Dataset> {
    let mut payloads = Vec::with_capacity(FILES.len());
    let mut all_facts = Vec::with_capacity(FILES.len());
    for (file, raw) in FILES.iter().zip(raw) {
        let (mut bytes, facts) = check(file, file.name, raw)?;
        bytes.drain(..file.content.header_bytes());
        payloads.push(bytes);
        all_facts.push(facts);
    }
    let (Ok(facts), Ok([train_images, train_labels, test_images, test_labels])) =
        (<[Facts; 4]>::try_from(all_facts), <[Vec<u8>; 4]>::try_from(payloads))
    else {
        unreachable!("four files give four results")
    };
    check_counts(&FILES, &facts, &FILES.map(|file| file.name.to_owned()))?;
    let identity = identity(&facts);
    Ok(Dataset {
        identity,
        name: dataset_name(identity, source),
        source: Some(source.to_owned()),
        train: Split { images: train_images, labels: train_labels },
        test: Split { images: test_images, labels: test_labels },
    })
}
