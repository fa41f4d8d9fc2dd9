//! Data files: every kind of bad input gives one clear sentence, good ones load.

use super::{folder_with, full_size, gzip, images, labels, small};
use gpubench::cli::data::{State, verify};
use gpubench::cli::dataset::load_folder;
use gpubench::cli::locate::find;
use gpubench::data::Identity;
use gpubench::data::idx::{self, FILES};
use std::path::Path;

/// Loads `folder`, which must fail as bad data in one line that holds all of `words`.
fn assert_refused(folder: &Path, words: &[&str]) {
    let error = load_folder(folder).expect_err("bad data must be refused");
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3, "{text}");
    assert!(!text.contains('\n') && text.contains("; "), "one sentence that says what to do: {text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

/// Puts `content` in the place of file `index` of a small data set.
fn assert_refused_with(index: usize, content: Vec<u8>, words: &[&str]) {
    let mut contents = small();
    contents[index] = content;
    let folder = folder_with(&contents);
    assert_refused(folder.path(), &[&[FILES[index].name], words].concat());
}

#[test]
fn a_missing_folder_is_named() {
    assert_refused(Path::new("/nowhere/at/all"), &["/nowhere/at/all", "does not exist"]);
}

#[test]
fn a_file_is_no_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_refused(file.path(), &["is not a folder"]);
}

#[test]
fn a_missing_file_is_named() {
    let folder = folder_with(&small());
    std::fs::remove_file(folder.path().join(FILES[3].name)).unwrap();
    assert_refused(folder.path(), &["has no t10k-labels-idx1-ubyte", "gpubench data fetch"]);
}

#[test]
fn a_wrong_magic_number_is_refused() {
    assert_refused_with(0, labels(&[0; 20]), &["0x00000801", "0x00000803"]);
    assert_refused_with(1, images(1, 28, 28), &["0x00000803", "0x00000801"]);
    assert_refused_with(2, b"<html>not found</html>".to_vec(), &["magic number"]);
}

#[test]
fn truncated_gzip_is_refused() {
    let whole = gzip(&images(3, 28, 28));
    for length in [3, 12, whole.len() / 2, whole.len() - 1] {
        assert_refused_with(0, whole[..length].to_vec(), &["end early"]);
    }
}

#[test]
fn damaged_gzip_is_refused() {
    let mut bytes = gzip(&images(3, 28, 28));
    let crc = bytes.len() - 8;
    bytes[crc] ^= 1;
    assert_refused_with(0, bytes, &["damaged"]);
}

#[test]
fn a_truncated_file_is_refused() {
    assert_refused_with(0, images(3, 28, 28)[..1000].to_vec(), &["truncated", "2368 bytes", "1000"]);
    assert_refused_with(0, images(3, 28, 28)[..9].to_vec(), &["inside its header"]);
    assert_refused_with(1, labels(&[1, 2, 3])[..3].to_vec(), &["inside its header"]);
}

#[test]
fn bytes_after_the_end_are_refused() {
    assert_refused_with(1, [labels(&[1, 2, 3]), vec![0]].concat(), &["bytes follow after the 3 labels"]);
}

#[test]
fn different_counts_of_images_and_labels_are_refused() {
    assert_refused_with(1, labels(&[1, 2]), &["holds 3 images", "holds 2 labels"]);
    assert_refused_with(3, labels(&[1, 2, 3]), &["holds 2 images", "holds 3 labels"]);
}

#[test]
fn counts_other_than_the_tasks_are_refused() {
    assert_refused(folder_with(&small()).path(), &["3 images", "has exactly 60000"]);
    let mut header = images(0, 28, 28);
    header[4..8].copy_from_slice(&60_001u32.to_be_bytes());
    header.resize(16 + 60_001 * 784, 0);
    assert_refused_with(0, gzip(&header), &["60001 images", "has exactly 60000"]);
}

#[test]
fn a_count_that_overflows_is_refused() {
    let mut bytes = images(3, 28, 28);
    bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_refused_with(0, bytes, &["truncated", "4294967295"]);
}

#[test]
fn a_label_above_9_is_refused() {
    assert_refused_with(1, labels(&[1, 10, 3]), &["label 1 is 10"]);
}

#[test]
fn images_of_another_size_are_refused() {
    assert_refused_with(0, images(3, 32, 32), &["32 x 32", "28 x 28"]);
    assert_refused_with(2, images(2, 28, 1), &["28 x 1 "]);
}

#[test]
fn an_empty_file_is_refused() {
    assert_refused_with(0, Vec::new(), &["is empty"]);
    assert_refused_with(3, gzip(&[]), &["is empty"]);
}

#[test]
fn an_unreadable_file_is_refused() {
    let folder = folder_with(&small());
    let path = folder.path().join(FILES[1].name);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_refused(folder.path(), &[FILES[1].name, "cannot be read"]);
}

#[cfg(unix)]
#[test]
fn a_dangling_link_and_a_file_without_permission_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder_with(&small());
    let path = folder.path().join(FILES[2].name);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read it all the same, and then hears of the counts.
    let forbidden = std::fs::File::open(&path).is_err();
    assert_refused(folder.path(), if forbidden { &["cannot be read"] } else { &["has exactly 60000"] });
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", &path).unwrap();
    assert_refused(folder.path(), &[FILES[2].name, "cannot be read"]);
}

#[test]
fn a_small_gzip_file_cannot_fill_the_memory() {
    let bomb = gzip(&[labels(&[1, 2, 3]), vec![0; 200_000_000]].concat());
    let bytes = idx::decompress(&FILES[1], "bomb", bomb.clone()).unwrap();
    assert_eq!(bytes.len(), FILES[1].size_bytes() + 1);
    assert_refused_with(1, bomb, &["3 labels"]);
}

#[test]
fn every_usual_name_is_found_plain_or_gzip() {
    let contents = full_size();
    let folder = tempfile::tempdir().unwrap();
    for (index, (file, content)) in FILES.iter().zip(&contents).enumerate() {
        let name = &file.usual_names()[index];
        let bytes = if name.ends_with(".gz") { gzip(content) } else { content.clone() };
        std::fs::write(folder.path().join(name), bytes).unwrap();
        assert!(find(folder.path(), file).is_some());
    }
    let dataset = load_folder(folder.path()).unwrap();
    assert_eq!(dataset.identity, Identity::Other);
    assert!(dataset.name.contains(&folder.path().display().to_string()), "{}", dataset.name);
    assert_eq!((dataset.train.len(), dataset.test.len()), (60_000, 10_000));
    assert_eq!(dataset.train.images, contents[0][16..]);
    assert_eq!(dataset.train.labels, contents[1][8..]);
    assert_eq!(dataset.test.images, contents[2][16..]);
    assert_eq!(dataset.test.labels, contents[3][8..]);

    // What the `mnist` crate read is what our own parser reads.
    let ours = idx::parse(contents, dataset.source.as_deref().unwrap()).unwrap();
    assert!(ours == dataset);
}

#[test]
fn verify_gives_a_verdict_on_each_file() {
    let folder = folder_with(&small());
    std::fs::remove_file(folder.path().join(FILES[1].name)).unwrap();
    std::fs::write(folder.path().join(FILES[2].name), &gzip(&[1; 500])[..20]).unwrap();
    let verdicts = verify(folder.path());
    assert_eq!(verdicts[0].state, State::Differs { sha256: idx::sha256_hex(&images(3, 28, 28)) });
    assert_eq!(verdicts[0].size_bytes, Some(16 + 3 * 784));
    assert_eq!(verdicts[1].state, State::Missing);
    assert!(matches!(&verdicts[2].state, State::Damaged { reason } if reason.contains("end early")));
    assert!(verdicts.iter().zip(FILES).all(|(verdict, file)| verdict.to_string().starts_with(file.name)));
}
