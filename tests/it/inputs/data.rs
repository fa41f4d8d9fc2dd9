//! Folders of IDX files as they lie on people's disks: what can be trained on is found and read, and of what cannot the
//! message says what it is.

use flate2::Compression;
use flate2::write::GzEncoder;
use gpubench::cli::data::{State, verify};
use gpubench::cli::dataset::{DataSource, Places, load_folder, load_from};
use gpubench::cli::locate::locate;
use gpubench::data::Identity;
use gpubench::data::idx::{self, FILES};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three images, and their labels.
fn small(index: usize) -> Vec<u8> {
    match index {
        0 | 2 => [words(&[0x0803, 3, 28, 28]), vec![7; 3 * 784]].concat(),
        _ => [words(&[0x0801, 3]), vec![1, 2, 3]].concat(),
    }
}

fn write(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Four small files called as MNIST's in `folder`.
fn write_small(folder: &Path, suffix: &str) {
    for (index, file) in FILES.iter().enumerate() {
        write(folder.join(format!("{}{suffix}", file.name)), &small(index));
    }
}

/// A file of `bytes` and zeros up to `size_bytes`, which take no room on the disk.
fn sparse(path: PathBuf, bytes: &[u8], size_bytes: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(size_bytes).unwrap();
}

/// The error of loading a small data set of which file `index` holds `content`.
fn refusal(index: usize, content: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    write_small(folder.path(), "");
    fs::write(folder.path().join(FILES[index].name), content).unwrap();
    let error = load_folder(folder.path()).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    error.to_string()
}

#[test]
fn the_root_of_torchvision_its_folder_of_mnist_and_the_raw_files_are_the_same_data() {
    let root = TempDir::new().unwrap();
    let raw = root.path().join("MNIST/raw");
    write_small(&raw, "");
    write_small(&raw, ".gz");
    fs::create_dir(root.path().join("MNIST/processed")).unwrap();
    for folder in [root.path(), &root.path().join("MNIST"), &raw] {
        let located = locate(folder).unwrap();
        assert_eq!(located.folder, raw);
        assert!(located.paths.iter().zip(FILES).all(|(path, file)| *path == raw.join(format!("{}.gz", file.name))));
    }
}

#[test]
fn a_folder_called_like_a_file_does_not_hide_the_file_beside_it() {
    let folder = TempDir::new().unwrap();
    // What unpacking programs leave: a folder with the dashed name, the file with a dot beside it.
    for (index, file) in FILES.iter().enumerate() {
        fs::create_dir(folder.path().join(file.name)).unwrap();
        write(folder.path().join(file.name.replace("-idx", ".idx")), &small(index));
    }
    let located = locate(folder.path()).unwrap();
    assert!(located.paths.iter().all(|path| path.is_file()), "{:?}", located.paths);
}

#[test]
fn a_file_inside_a_folder_of_its_own_name_is_found() {
    let folder = TempDir::new().unwrap();
    for (index, file) in FILES.iter().enumerate() {
        write(folder.path().join(file.name).join(file.name.replace("-idx", ".idx")), &small(index));
    }
    let located = locate(folder.path()).unwrap();
    assert!(located.paths.iter().all(|path| path.is_file()), "{:?}", located.paths);
    // They are read: what is wrong with them is their number of images alone.
    let error = load_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("3 images where the task has exactly 60000"), "{error}");
}

#[test]
fn several_data_sets_below_a_folder_are_named_and_none_is_guessed() {
    let root = TempDir::new().unwrap();
    for name in ["MNIST", "FashionMNIST"] {
        write_small(&root.path().join(name).join("raw"), "");
    }
    let error = locate(root.path()).unwrap_err();
    let text = error.to_string();
    assert!(error.exit_code() == 3 && text.contains("MNIST/raw") && text.contains("FashionMNIST/raw"), "{text}");
    // What lies below does not stand in for a file that is missing above.
    write(root.path().join(FILES[0].name), &small(0));
    assert!(locate(root.path()).unwrap_err().to_string().contains("has no train-labels-idx1-ubyte"));
}

#[test]
fn where_data_was_found_below_a_folder_is_told_and_verify_looks_there_too() {
    let root = TempDir::new().unwrap();
    let raw = root.path().join("MNIST/raw");
    fs::create_dir_all(&raw).unwrap();
    for (index, file) in FILES.iter().enumerate() {
        let header = if index % 2 == 0 {
            words(&[0x0803, file.items as u32, 28, 28])
        } else {
            words(&[0x0801, file.items as u32])
        };
        sparse(raw.join(file.name), &header, file.size_bytes() as u64);
    }
    let source = DataSource::Folder(root.path().to_owned());
    let (dataset, origin) = load_from(&source, 1, &Places::default()).unwrap();
    assert_eq!(dataset.source.as_deref(), raw.to_str());
    assert_eq!(origin, format!("--data, found in {}", raw.display()));
    assert!(verify(root.path()).iter().all(|verdict| matches!(verdict.state, State::Differs { .. })));
}

#[test]
fn qmnist_is_trained_on_with_the_test_images_that_it_shares_with_mnist() {
    let folder = TempDir::new().unwrap();
    for (split, items) in [("train", 60_000u32), ("test", 60_000)] {
        let images = folder.path().join(format!("qmnist-{split}-images-idx3-ubyte"));
        sparse(images, &[words(&[0x0803, items, 28, 28]), vec![9]].concat(), 16 + 784 * u64::from(items));
        let mut labels = words(&[0x0c02, items, 8]);
        (0..items).for_each(|index| labels.extend(words(&[(index + 3) % 10, 77, 77, 77, 77, 77, 77, 77])));
        write(folder.path().join(format!("qmnist-{split}-labels-idx2-int.gz")), &gzip(&labels));
    }
    let dataset = load_folder(folder.path()).unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len(), dataset.identity), (60_000, 10_000, Identity::Other));
    assert_eq!((&dataset.test.labels[..4], dataset.train.images[0]), (&[3, 4, 5, 6][..], 9));
    let shown = folder.path().display();
    assert_eq!(dataset.name, format!("QMNIST (the first 10000 of 60000 test images) in {shown}"));
}

/// The four files of EMNIST's `split`: all black, but for the second pixel of the first image of each as stored.
fn write_emnist(folder: &Path, split: &str, counts: [u32; 2]) {
    for (part, items) in ["train", "test"].iter().zip(counts) {
        let images = [words(&[0x0803, items, 28, 28]), vec![0, 200]].concat();
        let path = folder.join(format!("emnist-{split}-{part}-images-idx3-ubyte"));
        sparse(path, &images, 16 + 784 * u64::from(items));
        let path = folder.join(format!("emnist-{split}-{part}-labels-idx1-ubyte"));
        sparse(path, &[words(&[0x0801, items]), vec![9, 8]].concat(), 8 + u64::from(items));
    }
}

#[test]
fn the_digits_of_emnist_are_trained_on_upright() {
    let folder = TempDir::new().unwrap();
    write_emnist(folder.path(), "digits", [240_000, 40_000]);
    let digits = load_folder(folder.path()).unwrap();
    assert!(digits.name.starts_with("EMNIST digits (the first 60000 of 240000 training images, "), "{}", digits.name);
    // Where the split of MNIST's size is there too, it is taken.
    write_emnist(folder.path(), "mnist", [60_000, 10_000]);
    let mnist = load_folder(folder.path()).unwrap();
    assert!(mnist.name.starts_with("EMNIST mnist (images transposed to be upright) in "), "{}", mnist.name);
    for dataset in [digits, mnist] {
        assert_eq!(
            (dataset.train.len(), dataset.test.len(), &dataset.train.labels[..3]),
            (60_000, 10_000, &[9, 8, 0][..])
        );
        // The second pixel as stored is that below the first.
        for image in [dataset.train.image(0), dataset.test.image(0)] {
            let lit: Vec<usize> = (0..784).filter(|&at| image[at] != 0).collect();
            assert_eq!(lit, [28]);
        }
    }
}

#[test]
fn splits_of_emnist_with_letters_are_refused_with_the_reason() {
    for (split, reason) in [
        ("letters", "26 classes, with labels from 1 to 26"),
        ("balanced", "47 classes"),
        ("bymerge", "47 classes"),
        ("byclass", "62 classes"),
    ] {
        let folder = TempDir::new().unwrap();
        write_emnist(folder.path(), split, [3, 3]);
        let error = load_folder(folder.path()).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 3);
        for words in [&format!("EMNIST {split} cannot be trained on"), reason, "the network has 10", "mnist or digits"]
        {
            assert!(text.contains(words), "{words:?} is not in: {text}");
        }
    }
}

#[test]
fn labels_of_qmnist_with_other_columns_or_classes_are_refused() {
    let file = gpubench::data::sets::SETS.iter().find(|set| set.name == "QMNIST").unwrap().files[1];
    let refused = |bytes: Vec<u8>| idx::check(&file, "labels", bytes).unwrap_err().to_string();
    assert!(refused(words(&[0x0c02, 1, 3, 1, 2, 3])).contains("3 columns where there should be 8"));
    assert!(refused(words(&[0x0c02, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0])).contains("label 0 is 10"));
    assert!(refused(words(&[0x0c02, 1, 8, u32::MAX, 0, 0, 0, 0, 0, 0, 0])).contains("label 0 is 4294967295"));
    assert!(refused(words(&[0x0c02, 2, 8, 1, 0, 0, 0, 0, 0, 0, 0])).contains("truncated"));
}

#[test]
fn gzip_is_known_by_its_content_and_read_as_gzip_reads_it() {
    let labels = small(1);
    let file = &FILES[1];
    let padded = [gzip(&labels), vec![0; 10_240]].concat();
    let joined = [gzip(&labels[..5]), gzip(&labels[5..])].concat();
    // The names say the opposite of the content.
    let folder = TempDir::new().unwrap();
    for (name, bytes) in
        [("labels.gz", labels.clone()), ("labels", gzip(&labels)), ("padded", padded), ("joined.gz", joined)]
    {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let raw = gpubench::cli::dataset::read(&path, file).unwrap();
        assert_eq!(idx::check(file, name, raw).unwrap().0, labels, "{name}");
    }
    let error = refusal(1, &[gzip(&labels), b"more".to_vec()].concat());
    assert!(error.contains("4 bytes that are no gzip data follow"), "{error}");
}

#[test]
fn a_gzip_file_that_is_too_long_is_not_taken_for_a_truncated_one() {
    let folder = TempDir::new().unwrap();
    write_small(folder.path(), "");
    sparse(folder.path().join(format!("{}.gz", FILES[1].name)), &gzip(&small(1)), 1 << 30);
    let error = load_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("longer than 126144 bytes, which no right file is"), "{error}");
    // Images in the place of labels are named as such.
    sparse(folder.path().join(format!("{}.gz", FILES[1].name)), &gzip(&small(0)), 1 << 20);
    let error = load_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("so that it holds images"), "{error}");
}

#[test]
fn the_message_says_what_a_file_is_and_what_to_do() {
    let pointer =
        "version https://git-lfs.github.com/spec/v1\noid sha256:ba891046e6505d7aadcbbe25680a0738\nsize 9912422\n";
    let page = "\n<!DOCTYPE html>\n<html><title>Sign in</title></html>\n";
    for (content, says) in [
        (page.into(), &["an HTML page", "download the file again"][..]),
        (gzip(page.as_bytes()), &["an HTML page", "download the file again"]),
        ("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>".into(), &["an XML document", "download"]),
        (pointer.into(), &["a Git LFS pointer", "git lfs pull"]),
        (gzip(&gzip(&small(0))), &["gzip data within its gzip data", "gzip -d"]),
        (b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), &["a ZIP archive", "unpack it"]),
        (b"\xfd7zXZ\0\0\x04".to_vec(), &["xz data", "decompress it first"]),
        (b"\x93NUMPY\x01\0v\0{'descr'".to_vec(), &["a NumPy array", "get the IDX files"]),
        (Vec::new(), &["the file is empty", "get a fresh copy"]),
        (gzip(b""), &["the file is empty", "get a fresh copy"]),
        (small(1), &["it holds labels", "check which file has this name"]),
        ([vec![3, 8, 0, 0], small(0)[4..].to_vec()].concat(), &["reverse order"]),
    ] {
        let error = refusal(0, &content);
        for words in [FILES[0].name, "; "].iter().chain(says) {
            assert!(error.contains(words), "{words:?} is not in: {error}");
        }
    }
}
