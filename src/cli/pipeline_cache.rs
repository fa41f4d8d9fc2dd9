//! Pipeline caches as files in the user's cache folder, so that drivers need not compile pipelines again.

use super::cache;
use super::{dataset, input, output, terminal};
use crate::bench;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, PipelineCacheData};
use clap::Args;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The most bytes of a cache: that of all plans has some megabytes.
const LIMIT_BYTES: u64 = 256 << 20;

/// Whether to cache compiled pipelines.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PipelineCacheArgs {
    /// Compile all kernels anew, and do not cache the pipelines for other runs
    #[arg(long)]
    pub no_pipeline_cache: bool,
}

/// Writes the pipelines compiled on an adapter to the cache when dropped, even if the run failed.
#[must_use = "pipelines are written to the cache when this is dropped"]
pub struct PipelineCacheGuard<'a> {
    adapters: &'a Adapters,
    adapter: &'a AdapterInfo,
    /// The cache folder and the data read from it; `None` without a cache.
    entry: Option<(PathBuf, PipelineCacheData)>,
}

/// The file in `folder` for one adapter and backend.
pub fn file(folder: &Path, adapter: &AdapterInfo) -> PathBuf {
    cache::file(folder, &bench::tuning_subject(adapter)).with_extension("pipelines")
}

/// Reads the cached pipelines of `adapter` in `folder`; empty if there are none.
///
/// # Errors
/// [`Error::Data`] if the file must not be used.
pub fn read(folder: &Path, adapter: &AdapterInfo) -> Result<PipelineCacheData> {
    let path = file(folder, adapter);
    let refused = |reason: String| Error::Data(format!("{} is not used: {reason}", path.display()));
    if std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(PipelineCacheData::default());
    }
    let bytes = input::bytes(&path, LIMIT_BYTES).map_err(refused)?;
    PipelineCacheData::from_bytes(&bytes, &subject(adapter)).map_err(|error| refused(error.to_string()))
}

/// Writes `compiled` to `folder`, replacing the previous data of `adapter`.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be written; it is then unchanged.
pub fn write(folder: &Path, adapter: &AdapterInfo, compiled: &PipelineCacheData) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::Output(format!("{} ({error})", folder.display())))?;
    output::remove_abandoned(folder);
    output::replace(&file(folder, adapter), &compiled.to_bytes(&subject(adapter))?)
}

/// The identity that cached pipelines are valid for: the adapter, its driver, the program and all shaders.
fn subject(adapter: &AdapterInfo) -> String {
    format!("{:?}", bench::tuning_subject(adapter))
}

impl PipelineCacheArgs {
    /// Enables the pipeline cache for devices on `adapter`. Reports on stderr why a file was not used or could not be
    /// written.
    pub fn guard<'a>(self, adapters: &'a Adapters, adapter: &'a AdapterInfo) -> PipelineCacheGuard<'a> {
        let folder = dataset::cache_folder_of("pipelines").ok().filter(|_| !self.no_pipeline_cache);
        let entry = folder.map(|folder| {
            let data = read(&folder, adapter).unwrap_or_else(|error| {
                terminal::message(&format!("note: {error}: kernels are compiled anew"));
                PipelineCacheData::default()
            });
            adapters.enable_pipeline_cache(adapter, data.clone());
            (folder, data)
        });
        PipelineCacheGuard { adapters, adapter, entry }
    }
}

impl Drop for PipelineCacheGuard<'_> {
    fn drop(&mut self) {
        let Some((folder, before)) = &self.entry else { return };
        let Some(now) = self.adapters.pipeline_cache_data(self.adapter).filter(|now| now != before) else { return };
        if let Err(error) = write(folder, self.adapter, &now) {
            terminal::message(&format!("note: compiled pipelines cannot be kept for other runs: {error}"));
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
    fn cached_pipelines_are_read_for_the_same_driver_only() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not there yet");
        let ours = adapter("driver 1");
        assert_eq!(read(&folder, &ours), Ok(PipelineCacheData::default()), "nothing is kept yet");
        write(&folder, &ours, &PipelineCacheData::default()).unwrap();
        assert!(file(&folder, &ours).ends_with("imaginary-1-vulkan.pipelines"));
        assert_eq!(read(&folder, &ours), Ok(PipelineCacheData::default()));
        let reason = read(&folder, &adapter("driver 2")).unwrap_err().to_string();
        assert!(reason.contains("imaginary-1-vulkan.pipelines is not used: it belongs to another"), "{reason}");
    }

    #[test]
    fn a_file_that_was_changed_or_cannot_be_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ours = adapter("driver 1");
        write(folder.path(), &ours, &PipelineCacheData::default()).unwrap();
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
