//! Pipeline caches as files in the user's cache folder, so that drivers need not compile pipelines again.

use super::cache;
use super::{dataset, output, terminal};
use crate::bench;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, PipelineCacheData};
use clap::Args;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Whether compiled pipelines are kept.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PipelineCacheArgs {
    /// Compile all kernels anew, and keep nothing of them for other runs
    #[arg(long)]
    pub no_pipeline_cache: bool,
}

/// Keeps what is compiled on an adapter when it goes out of scope, however the run ended.
#[must_use = "what is compiled is kept when this goes out of scope"]
pub struct PipelineCacheGuard<'a> {
    adapters: &'a Adapters,
    adapter: &'a AdapterInfo,
    /// Nothing where nothing is kept.
    place: Option<(PathBuf, PipelineCacheData)>,
}

/// The file in `folder` for one adapter and backend.
pub fn file(folder: &Path, adapter: &AdapterInfo) -> PathBuf {
    cache::file(folder, &bench::tuning_subject(adapter)).with_extension("pipelines")
}

/// Reads what `folder` holds for `adapter`; nothing where there is none.
///
/// # Errors
/// [`Error::Data`] if there is a file that must not be used.
pub fn read(folder: &Path, adapter: &AdapterInfo) -> Result<PipelineCacheData> {
    let path = file(folder, adapter);
    let refused = |words: String| Error::Data(format!("{} is not used: {words}", path.display()));
    match std::fs::read(&path) {
        Ok(bytes) => {
            PipelineCacheData::from_bytes(&bytes, &subject(adapter)).map_err(|error| refused(error.to_string()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(PipelineCacheData::default()),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Keeps `compiled` in `folder` in place of what it held for `adapter`.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be written; it then holds what it held before.
pub fn keep(folder: &Path, adapter: &AdapterInfo, compiled: &PipelineCacheData) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::Output(format!("{} ({error})", folder.display())))?;
    output::replace(&file(folder, adapter), &compiled.to_bytes(&subject(adapter))?)
}

/// What the kept pipelines belong to: the adapter, its driver, the program and all shaders.
fn subject(adapter: &AdapterInfo) -> String {
    format!("{:?}", bench::tuning_subject(adapter))
}

impl PipelineCacheArgs {
    /// Lets devices on `adapter` use the pipelines of the user's cache folder, and what they compile be kept there. Why a file was not
    /// used, or could not be written, is said on stderr.
    pub fn guard<'a>(self, adapters: &'a Adapters, adapter: &'a AdapterInfo) -> PipelineCacheGuard<'a> {
        let folder = dataset::cache_folder_of("pipelines").ok().filter(|_| !self.no_pipeline_cache);
        let place = folder.map(|folder| {
            let kept = read(&folder, adapter).unwrap_or_else(|error| {
                terminal::talk(&format!("note: {error}: kernels are compiled anew"));
                PipelineCacheData::default()
            });
            adapters.enable_pipeline_cache(adapter, kept.clone());
            (folder, kept)
        });
        PipelineCacheGuard { adapters, adapter, place }
    }
}

impl Drop for PipelineCacheGuard<'_> {
    fn drop(&mut self) {
        let Some((folder, before)) = &self.place else { return };
        let Some(now) = self.adapters.pipeline_cache_data(self.adapter).filter(|now| now != before) else { return };
        if let Err(error) = keep(folder, self.adapter, &now) {
            terminal::talk(&format!("note: compiled pipelines cannot be kept for other runs: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Timestamps;

    fn adapter(driver: &str) -> AdapterInfo {
        AdapterInfo {
            subgroups: false,
            index: 0,
            name: "Imaginary 1".into(),
            vendor: "nobody".into(),
            vendor_id: 0,
            device_id: 0,
            kind: "discrete".into(),
            software: false,
            backend: "vulkan".into(),
            driver: driver.into(),
            driver_info: String::new(),
            pci_bus_id: String::new(),
            timestamps: Timestamps::Unsupported,
        }
    }

    #[test]
    fn kept_pipelines_are_read_for_the_same_driver_only() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not there yet");
        let ours = adapter("driver 1");
        assert_eq!(read(&folder, &ours), Ok(PipelineCacheData::default()), "nothing is kept yet");
        keep(&folder, &ours, &PipelineCacheData::default()).unwrap();
        assert!(file(&folder, &ours).ends_with("imaginary-1-vulkan.pipelines"));
        assert_eq!(read(&folder, &ours), Ok(PipelineCacheData::default()));
        let words = read(&folder, &adapter("driver 2")).unwrap_err().to_string();
        assert!(words.contains("imaginary-1-vulkan.pipelines is not used: it belongs to another"), "{words}");
    }

    #[test]
    fn a_file_that_was_changed_or_cannot_be_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ours = adapter("driver 1");
        keep(folder.path(), &ours, &PipelineCacheData::default()).unwrap();
        let path = file(folder.path(), &ours);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.push(0);
        std::fs::write(&path, bytes).unwrap();
        assert!(read(folder.path(), &ours).unwrap_err().to_string().contains("it is damaged"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(read(folder.path(), &ours).unwrap_err().to_string().contains("is not used"));
    }
}
