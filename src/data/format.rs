//! What a file is that is not what its name promises: a web page, a pointer to a file, an archive.

/// A kind of file that is often found in the place of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A web page: an error, or a form to log in.
    Html,
    /// XML, in which storage services write their errors.
    Xml,
    /// JSON, in which interfaces write their errors.
    Json,
    /// What Git has in the place of a large file.
    LfsPointer,
    /// Data compressed with gzip.
    Gzip,
    /// A ZIP archive; PyTorch's `.pt` files are of this kind too.
    Zip,
    /// Data compressed with xz.
    Xz,
    /// Data compressed with Zstandard.
    Zstandard,
    /// Data compressed with bzip2.
    Bzip2,
    /// A 7z archive.
    SevenZip,
    /// A tar archive.
    Tar,
    /// An array of NumPy.
    Numpy,
    /// An HDF5 file.
    Hdf5,
    /// A Parquet file.
    Parquet,
    /// An image in PNG.
    Png,
    /// A Python pickle.
    Pickle,
}

/// Formats by the bytes they begin with.
const SIGNATURES: [(&[u8], Format); 13] = [
    (b"version https://git-lfs.github.com/spec/", Format::LfsPointer),
    (&[0x1f, 0x8b], Format::Gzip),
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
    (b"\xfd7zXZ\0", Format::Xz),
    (b"\x28\xb5\x2f\xfd", Format::Zstandard),
    (b"BZh", Format::Bzip2),
    (b"7z\xbc\xaf\x27\x1c", Format::SevenZip),
    (b"\x93NUMPY", Format::Numpy),
    (b"\x89HDF\r\n\x1a\n", Format::Hdf5),
    (b"PAR1", Format::Parquet),
    (b"\x89PNG", Format::Png),
    (b"\x80\x02", Format::Pickle),
];

/// Where a tar archive has its signature.
const TAR_SIGNATURE_AT: usize = 257;

impl Format {
    /// The format of a file that begins with `bytes`, if it is one of these.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if let Some((_, format)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
            return Some(*format);
        }
        if bytes.get(TAR_SIGNATURE_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
            return Some(Self::Tar);
        }
        Self::of_text(bytes)
    }

    /// The format of a text, whose first letters may follow a byte-order mark and blanks.
    fn of_text(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        let begins =
            |word: &str| bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
        if ["<!doctype html", "<html", "<head", "<body", "<script"].into_iter().any(begins) {
            Some(Self::Html)
        } else if begins("<?xml") || begins("<error") {
            Some(Self::Xml)
        } else if begins("{\"") || begins("{\n") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// What it is, with an article: "an HTML page".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Html => "an HTML page",
            Self::Xml => "an XML document",
            Self::Json => "a JSON document",
            Self::LfsPointer => "a Git LFS pointer",
            Self::Gzip => "gzip data",
            Self::Zip => "a ZIP archive",
            Self::Xz => "xz data",
            Self::Zstandard => "Zstandard data",
            Self::Bzip2 => "bzip2 data",
            Self::SevenZip => "a 7z archive",
            Self::Tar => "a tar archive",
            Self::Numpy => "a NumPy array",
            Self::Hdf5 => "an HDF5 file",
            Self::Parquet => "a Parquet file",
            Self::Png => "a PNG image",
            Self::Pickle => "a Python pickle",
        }
    }

    /// What to do to have the file that was meant.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Html | Self::Xml | Self::Json => {
                "the server answered the download with a message (an error or a log-in, say); download the file again"
            }
            Self::LfsPointer => "Git has not fetched the file itself; run `git lfs pull` in its repository",
            Self::Gzip => "it is compressed twice; decompress it once with `gzip -d`",
            Self::Zip | Self::SevenZip | Self::Tar => "unpack it, and name the folder that holds the unpacked files",
            Self::Xz | Self::Zstandard | Self::Bzip2 => "decompress it first; plain files and gzip are read",
            Self::Numpy | Self::Hdf5 | Self::Parquet | Self::Png | Self::Pickle => {
                "it is another format of the data; get the IDX files"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        let tar = [vec![b'a'; TAR_SIGNATURE_AT], b"ustar\x0000".to_vec()].concat();
        for (bytes, expected) in [
            (&b"<!DOCTYPE html><title>Log in</title>"[..], Some(Format::Html)),
            (b"\xef\xbb\xbf \r\n<HTML>", Some(Format::Html)),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", Some(Format::Xml)),
            (b"{\"error\": \"not found\"}", Some(Format::Json)),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9912422\n", Some(Format::LfsPointer)),
            (b"\x1f\x8b\x08", Some(Format::Gzip)),
            (b"PK\x03\x04\x14", Some(Format::Zip)),
            (&tar, Some(Format::Tar)),
            (&[0, 0, 8, 3], None),
            (b"", None),
            (b"\xef\xbb", None),
        ] {
            assert_eq!(Format::of(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
