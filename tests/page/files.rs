//! Files that a visitor gives the page.

use super::common::mnist;
use super::site::Site;
use std::fs;
use std::path::PathBuf;

/// A file named after one of MNIST's is taken from the drop, and found to be none; one with another name is not even
/// read.
pub fn a_file_that_is_none_of_mnists_is_refused(site: &Site) {
    let visit = site.visit("");
    let drop = |name: &str| {
        visit.run(
            "const files = new DataTransfer();
             files.items.add(new File(['no digits'], arguments[0]));
             document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: files, cancelable: true }));",
            &[name.into()],
        );
    };
    visit.run("document.getElementById('data').open = true", &[]);
    drop("holiday.jpg");
    visit.until("an answer", 10, "return document.getElementById('files').innerText.startsWith('holiday.jpg')");
    assert!(
        visit.text("#files").contains("none of MNIST's files: train-images-idx3-ubyte"),
        "{}",
        visit.text("#files")
    );
    drop("t10k-labels-idx1-ubyte");
    visit.until("an answer", 10, "return document.getElementById('files').innerText.startsWith('t10k')");
    let text = visit.text("#files");
    assert!(!text.contains("sound"), "{text}");
    visit.assert_clean();
}

pub fn mnists_files_are_accepted(site: &Site) {
    let visit = site.visit("");
    assert!(visit.text("#non-standard").is_empty(), "{}", visit.text("#non-standard"));
    let mut paths: Vec<PathBuf> =
        fs::read_dir(mnist().canonicalize().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    let list: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    visit.run("document.getElementById('data').open = true", &[]);
    visit.type_into("#pick", &list.join("\n"));
    visit.until("four sound files", 60, "return document.getElementById('files').innerText.startsWith('All four')");
    assert_eq!(visit.run("return document.querySelector('[name=data]').value", &[]), "files");
    assert_eq!(visit.run("return location.search", &[]), "?data=files");
    visit.assert_clean();
}
