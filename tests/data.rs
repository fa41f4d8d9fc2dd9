//! Data files: every kind of bad input gives one clear sentence, good ones load, and downloads leave nothing half-written.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers belong to them"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use gpubench::cli::data::{MIRROR_VARIABLE, State, fetch_files, mirrors, verify};
use gpubench::cli::dataset::{DATA_VARIABLE, DataSource, Places, cache_folder, find, load_folder, load_from};
use gpubench::data::Identity;
use gpubench::data::idx::{self, Content, FILES, IdxFile};
use tempfile::TempDir;

/// An IDX file of images of `rows` x `columns` pixels, all of one grey.
fn images(count: u32, rows: u32, columns: u32) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0x0803, count, rows, columns].iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.resize(16 + (count * rows * columns) as usize, 7);
    bytes
}

fn labels(values: &[u8]) -> Vec<u8> {
    let header = [0x0801, values.len() as u32].iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    [header, values.to_vec()].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Four small files, right in all but their counts.
fn small() -> [Vec<u8>; 4] {
    [images(3, 28, 28), labels(&[1, 2, 3]), images(2, 28, 28), labels(&[4, 5])]
}

/// Four files of the right size.
fn full_size() -> [Vec<u8>; 4] {
    let classes = |count: usize| (0..count).map(|index| (index % 10) as u8).collect::<Vec<u8>>();
    [images(60_000, 28, 28), labels(&classes(60_000)), images(10_000, 28, 28), labels(&classes(10_000))]
}

fn folder_with(contents: &[Vec<u8>; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in FILES.iter().zip(contents) {
        std::fs::write(folder.path().join(file.name), content).unwrap();
    }
    folder
}

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
fn auto_takes_the_variable_then_the_cache_then_synthetic_digits() {
    let folder = folder_with(&full_size());
    let empty = tempfile::tempdir().unwrap();
    let here = |places: &Places| load_from(&DataSource::Auto, 1, places).unwrap();

    let variable = Some(folder.path().into());
    let (dataset, origin) = here(&Places { variable, cache: Some(empty.path().into()) });
    assert_eq!(dataset.identity, Identity::Other);
    assert!(origin.contains(DATA_VARIABLE), "{origin}");

    let (dataset, origin) = here(&Places { variable: Some("auto".into()), cache: Some(folder.path().into()) });
    assert_eq!(dataset.identity, Identity::Other);
    assert!(origin.contains("cache"), "{origin}");

    let (dataset, origin) = here(&Places { variable: None, cache: Some(empty.path().into()) });
    assert_eq!(dataset.identity, Identity::Synthetic);
    assert!(origin.contains("default"), "{origin}");

    // What --data names comes before all of them, and an unusable value of the variable is an error.
    let missing = Places { variable: Some("/nowhere/at/all".into()), cache: None };
    assert_eq!(load_from(&DataSource::Synthetic, 1, &missing).unwrap().0.identity, Identity::Synthetic);
    assert_eq!(load_from(&DataSource::Auto, 1, &missing).unwrap_err().exit_code(), 3);
}

#[test]
fn an_incomplete_cache_is_reported() {
    let folder = folder_with(&small());
    std::fs::remove_file(folder.path().join(FILES[0].name)).unwrap();
    let places = Places { variable: None, cache: Some(folder.path().into()) };
    let (dataset, origin) = load_from(&DataSource::Auto, 1, &places).unwrap();
    assert_eq!(dataset.identity, Identity::Synthetic);
    assert!(origin.contains("3 of 4 files"), "{origin}");
}

#[test]
fn values_of_data_are_understood() {
    for (text, source) in [
        ("auto", DataSource::Auto),
        ("synthetic", DataSource::Synthetic),
        ("./auto", DataSource::Folder("./auto".into())),
    ] {
        assert_eq!(text.parse::<DataSource>().unwrap(), source);
        assert_eq!(source.to_string(), text);
    }
    assert!(cache_folder().unwrap().ends_with("gpubench/mnist"));
}

/// Looks at the environment in a process of its own: one process cannot safely change its environment between threads.
#[cfg(target_os = "linux")]
#[test]
fn the_environment_names_data_cache_and_mirrors() {
    let this_test = "the_environment_names_data_cache_and_mirrors";
    if std::env::var_os(DATA_VARIABLE).is_some_and(|value| value == "/some/data") {
        let cache = Some("/some/cache/gpubench/mnist".into());
        assert_eq!(Places::of_this_process(), Places { variable: Some("/some/data".into()), cache });
        assert_eq!(mirrors(), ["http://one/", "http://two/"]);
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this_test])
        .env(DATA_VARIABLE, "/some/data")
        .env("XDG_CACHE_HOME", "/some/cache")
        .env(MIRROR_VARIABLE, " http://one/ http://two/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
}

/// Serves `answers` (path to body) on the loopback interface; `declared_more_bytes` is added to each declared length, so
/// that the connection closes early. Gives the base URL and a counter of requests.
fn serve(answers: HashMap<String, Vec<u8>>, declared_more_bytes: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mnist/", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            reader.read_line(&mut request).unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let path = request.split(' ').nth(1).unwrap().trim_start_matches("/mnist/").to_owned();
            let (status, body) = match answers.get(&path) {
                Some(body) => ("200 OK", body.clone()),
                None => ("404 Not Found", Vec::new()),
            };
            let declared = body.len() + declared_more_bytes;
            // The client may hang up before it has read all.
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {declared}\r\nConnection: close\r\n\r\n")
                .and_then(|()| stream.write_all(&body));
        }
    });
    (url, requests)
}

/// Two small files that stand for MNIST's in the tests of downloading, and what a right mirror answers.
fn small_files() -> (Vec<IdxFile>, HashMap<String, Vec<u8>>) {
    let contents = [images(3, 28, 28), labels(&[1, 2, 3])];
    let files = [("small-images-idx3-ubyte", Content::Images), ("small-labels-idx1-ubyte", Content::Labels)];
    let files: Vec<IdxFile> = files
        .iter()
        .zip(&contents)
        .map(|(&(name, content), bytes)| IdxFile {
            name,
            content,
            items: 3,
            mnist_sha256: Box::leak(idx::sha256_hex(bytes).into_boxed_str()),
        })
        .collect();
    let answers = files.iter().zip(&contents).map(|(file, bytes)| (format!("{}.gz", file.name), gzip(bytes))).collect();
    (files, answers)
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_failing_mirror_gives_way_to_a_good_one_and_right_files_are_not_fetched_again() {
    let (files, answers) = small_files();
    let wrong = answers.keys().map(|path| (path.clone(), gzip(b"something else"))).collect();
    let (dead, dead_requests) = serve(HashMap::new(), 0);
    let (lying, lying_requests) = serve(wrong, 0);
    let (good, good_requests) = serve(answers, 0);
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("not/yet/there");
    let mut said = Vec::new();
    let mirrors = [dead, lying, good];
    fetch_files(&files, &folder, &mirrors, &mut |line| said.push(line.to_owned())).unwrap();
    assert_eq!(names_in(&folder), ["small-images-idx3-ubyte.gz", "small-labels-idx1-ubyte.gz"]);
    let requests = [&dead_requests, &lying_requests, &good_requests].map(|counter| counter.load(Ordering::SeqCst));
    assert_eq!(requests, [1, 1, 2], "a mirror that failed once comes last: {said:?}");
    assert!(said.iter().any(|line| line.contains("404")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("is not MNIST's file")), "{said:?}");

    // A damaged file is replaced, a right one left alone.
    std::fs::write(folder.join("small-labels-idx1-ubyte.gz"), b"damaged").unwrap();
    fetch_files(&files, &folder, &mirrors[2..], &mut |_| ()).unwrap();
    assert_eq!(good_requests.load(Ordering::SeqCst), 3);
    fetch_files(&files, &folder, &[], &mut |_| ()).expect("all files are there");
}

#[test]
fn a_mirror_that_decompresses_on_the_way_is_good_too() {
    let (files, answers) = small_files();
    let plain = [images(3, 28, 28), labels(&[1, 2, 3])];
    let plain_answers = files.iter().zip(plain).map(|(file, bytes)| (format!("{}.gz", file.name), bytes)).collect();
    let (url, _) = serve(plain_answers, 0);
    let folder = tempfile::tempdir().unwrap();
    fetch_files(&files, folder.path(), &[url], &mut |_| ()).unwrap();
    assert_eq!(names_in(folder.path()).len(), answers.len());
    assert!(std::fs::read(folder.path().join("small-images-idx3-ubyte.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
}

/// Every download from `url` must fail with `word` and leave the folder as it was.
fn assert_nothing_kept(url: String, word: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small-images-idx3-ubyte.gz"), b"older, wrong").unwrap();
    let error = fetch_files(&small_files().0, folder.path(), &[url], &mut |_| ()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3, "{text}");
    for word in [word, "by hand", "--data synthetic", &folder.path().display().to_string()] {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert_eq!(names_in(folder.path()), ["small-images-idx3-ubyte.gz"]);
    assert_eq!(std::fs::read(folder.path().join("small-images-idx3-ubyte.gz")).unwrap(), b"older, wrong");
}

#[test]
fn a_truncated_download_leaves_nothing() {
    assert_nothing_kept(serve(small_files().1, 1000).0, "small-images");
    let half = small_files().1.into_iter().map(|(path, body)| (path, body[..body.len() / 2].to_vec())).collect();
    assert_nothing_kept(serve(half, 0).0, "end early");
}

#[test]
fn wrong_content_leaves_nothing() {
    let wrong = |body: Vec<u8>| small_files().1.into_keys().map(|path| (path, body.clone())).collect();
    assert_nothing_kept(serve(wrong(gzip(&images(2, 28, 28))), 0).0, "is not MNIST's file");
    assert_nothing_kept(serve(wrong(b"<html>log in first</html>".to_vec()), 0).0, "is not MNIST's file");
    assert_nothing_kept(serve(wrong(vec![0; 1_000_000]), 0).0, "longer than");
}

#[test]
fn without_a_network_the_error_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_nothing_kept(url, "could not be downloaded");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_output_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = fetch_files(&FILES, &file.path().join("below"), &[], &mut |_| ()).unwrap_err();
    assert_eq!(error.exit_code(), 7, "{error}");
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
