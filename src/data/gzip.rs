//! Gzip data as `gzip -d` reads them: several members one after the other, and zeros after the last.

use std::io::{ErrorKind, Read};

use flate2::bufread::GzDecoder;

/// The first bytes of every member.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What is wrong with gzip data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// They end inside a member.
    Early {
        /// The bytes decompressed before that.
        decompressed_bytes: usize,
    },
    /// Their structure or checksum is wrong.
    Damaged(String),
    /// Something that is neither gzip nor zeros follows the last member.
    Trailing {
        /// How many bytes follow.
        bytes: usize,
    },
}

/// Whether `bytes` begin as gzip data do.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Decompresses all members of `raw`, but gives no more than `limit_bytes`, so that a small file cannot fill the
/// memory.
///
/// # Errors
/// [`Broken`], if `raw` is damaged before the limit is reached.
pub fn decompress(raw: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    let mut rest = raw;
    loop {
        let mut member = GzDecoder::new(rest);
        let room = (limit_bytes - bytes.len()) as u64;
        match member.by_ref().take(room).read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(Broken::Early { decompressed_bytes: bytes.len() });
            }
            Err(error) => return Err(Broken::Damaged(error.to_string())),
        }
        if bytes.len() >= limit_bytes {
            return Ok(bytes);
        }
        rest = member.into_inner();
        // Archives on tape and copies made block by block are filled up with zeros.
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(bytes);
        }
        if !is_gzip(rest) {
            return Err(Broken::Trailing { bytes: rest.len() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn member(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_one_after_the_other_are_one_file_and_zeros_at_the_end_are_padding() {
        let joined = [member(b"one "), member(b""), member(b"two"), vec![0; 1000]].concat();
        assert_eq!(decompress(&joined, 100).unwrap(), b"one two");
        assert_eq!(decompress(&member(b""), 100).unwrap(), b"");
    }

    #[test]
    fn what_else_follows_is_counted() {
        let followed = [member(b"one"), b"\0\0end".to_vec()].concat();
        assert_eq!(decompress(&followed, 100), Err(Broken::Trailing { bytes: 5 }));
    }

    #[test]
    fn no_more_than_the_limit_is_decompressed() {
        let bomb = member(&vec![0; 10_000_000]);
        assert_eq!(decompress(&bomb, 1000).unwrap().len(), 1000);
        let many = member(&[7; 10]).repeat(1000);
        assert_eq!(decompress(&many, 95).unwrap(), [7; 95]);
    }

    #[test]
    fn a_cut_in_any_member_is_found() {
        let joined = [member(b"one "), member(b"two")].concat();
        for length in 1..joined.len() {
            let whole_member = length == member(b"one ").len();
            assert_eq!(decompress(&joined[..length], 100).is_ok(), whole_member, "{length}");
        }
    }
}
