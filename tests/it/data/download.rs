//! Downloads: mirrors take each other's place, and nothing is left half-written.

use super::{gzip, images, labels};
use crate::common::names_in;
use gpubench::cli::data::fetch_files;
use gpubench::data::idx::{self, Content, FILES, IdxFile};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Serves `answers` (path to body) on the loopback interface; `declared_more_bytes` is added to each declared length,
/// so that the connection closes early. Gives the base URL and a counter of requests.
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
