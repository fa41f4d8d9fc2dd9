//! Pipeline caches: compiled pipelines that outlive their device, on backends that support it.

use super::adapter::AdapterInfo;
use super::failure::attempt;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The contents of a pipeline cache: the driver's data, and which pipelines they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineCacheData {
    /// Opaque data that only the same driver reads.
    data: Vec<u8>,
    /// A hash of everything that determines a pipeline, one for each pipeline.
    pipelines: BTreeSet<String>,
}

/// The JSON header line before the driver's data.
#[derive(Serialize, Deserialize)]
struct Header {
    schema: String,
    schema_version: u32,
    subject: String,
    sha256: String,
    pipelines: BTreeSet<String>,
}

const SCHEMA: &str = "gpubench.pipelines";
const SCHEMA_VERSION: u32 = 1;

impl PipelineCacheData {
    /// The bytes of a cache file: a JSON header line that names the `subject` they belong to, then the driver's data.
    ///
    /// # Errors
    /// [`Error::Output`] if the header cannot be written as JSON.
    pub fn to_bytes(&self, subject: &str) -> Result<Vec<u8>> {
        let header = Header {
            schema: SCHEMA.to_owned(),
            schema_version: SCHEMA_VERSION,
            subject: subject.to_owned(),
            sha256: sha256_hex(&self.data),
            pipelines: self.pipelines.clone(),
        };
        let mut bytes = serde_json::to_vec(&header)
            .map_err(|error| Error::Output(format!("the pipelines cannot be described as JSON: {error}")))?;
        bytes.push(b'\n');
        bytes.extend(&self.data);
        Ok(bytes)
    }

    /// Reads the output of [`PipelineCacheData::to_bytes`] for the same `subject`.
    ///
    /// # Errors
    /// [`Error::Data`] if the bytes are not a cache file, belong to another subject, or were changed since.
    pub fn from_bytes(bytes: &[u8], subject: &str) -> Result<Self> {
        let refused = |words: &str| Error::Data(words.to_owned());
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| refused("it holds no pipelines"))?;
        let (header, data) = (&bytes[..end], &bytes[end + 1..]);
        let header: Header = serde_json::from_slice(header).map_err(|_| refused("it holds no pipelines"))?;
        if header.schema != SCHEMA || header.schema_version != SCHEMA_VERSION {
            return Err(refused("it is of another version"));
        }
        if header.subject != subject {
            return Err(refused("it belongs to another adapter, driver, program or set of shaders"));
        }
        if header.sha256 != sha256_hex(data) {
            return Err(refused("it is damaged"));
        }
        Ok(Self { data: data.to_vec(), pipelines: header.pipelines })
    }
}

/// The pipeline cache contents of one list of adapters, by the adapter's index; no entry for adapters without a cache.
#[derive(Clone, Default)]
pub(super) struct PipelineCacheStore(Arc<Mutex<HashMap<usize, PipelineCacheData>>>);

impl PipelineCacheStore {
    fn lock(&self) -> MutexGuard<'_, HashMap<usize, PipelineCacheData>> {
        // A thread that panicked leaves whole entries: they are replaced, never changed in place.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the contents for `adapter` by `data`.
    pub(super) fn put(&self, adapter: &AdapterInfo, data: PipelineCacheData) {
        self.lock().insert(adapter.index, data);
    }

    /// The contents for `adapter`.
    pub(super) fn get(&self, adapter: &AdapterInfo) -> Option<PipelineCacheData> {
        self.lock().get(&adapter.index).cloned()
    }
}

/// The state of a device whose cache was not enabled, in words for results.
pub(super) const OFF: &str = "off";

/// The feature that a pipeline cache on `adapter` needs.
///
/// # Errors
/// The reason in words if there is no cache: it is not `enabled`, or the adapter lacks the feature.
pub(super) fn feature(adapter: &wgpu::Adapter, enabled: bool) -> std::result::Result<wgpu::Features, &'static str> {
    match adapter.features().contains(wgpu::Features::PIPELINE_CACHE) {
        true if enabled => Ok(wgpu::Features::PIPELINE_CACHE),
        true => Err(OFF),
        false => Err("unsupported by the adapter"),
    }
}

/// A device's pipeline cache.
pub(super) struct PipelineCache {
    cache: wgpu::PipelineCache,
    store: PipelineCacheStore,
    /// The pipelines it held when it was opened.
    initial: BTreeSet<String>,
    usage: Mutex<Usage>,
}

/// Hits and misses of a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Usage {
    /// Pipelines that were in the cache.
    hits: usize,
    /// Pipelines that were not.
    misses: usize,
    /// Whether the cache stored those that were not.
    stored: bool,
    /// The pipelines that were added.
    added: BTreeSet<String>,
}

impl Usage {
    /// Counts the pipelines of `compiled` against those of `initial`; `grew` says whether the driver stored new ones.
    /// Returns whether the cache has something new.
    fn count(&mut self, compiled: &BTreeSet<String>, initial: &BTreeSet<String>, grew: bool) -> bool {
        let misses = compiled.difference(initial).count();
        self.hits += compiled.len() - misses;
        self.misses += misses;
        self.stored |= grew;
        grew && misses > 0
    }

    /// In words, for results.
    fn words(&self) -> String {
        match (self.hits, self.misses) {
            (0, 0) => "not used".to_owned(),
            (_, 0) => "warm".to_owned(),
            (0, _) if self.stored => "cold".to_owned(),
            (0, _) => "cold, and this driver keeps nothing".to_owned(),
            (hits, misses) => format!("partly warm, {hits} of {} pipelines", hits + misses),
        }
    }
}

impl PipelineCache {
    /// Opens a cache on `device` with the contents that `store` has for `adapter`.
    ///
    /// # Errors
    /// The reason in words if there is no cache.
    pub(super) async fn open(
        device: &wgpu::Device,
        adapter: &AdapterInfo,
        store: &PipelineCacheStore,
    ) -> std::result::Result<Self, &'static str> {
        let PipelineCacheData { data, mut pipelines } = store.get(adapter).ok_or(OFF)?;
        let known = (!data.is_empty()).then_some(&data[..]);
        let cache = match attempt(device, || create(device, known)).await {
            Ok(cache) => cache,
            // The data belong to another device: begin with an empty cache.
            Err(_) => attempt(device, || create(device, None)).await.map_err(|_| "refused by the driver")?,
        };
        // Drivers refuse data silently; the cache is then almost empty.
        if 2 * bytes(&cache) < data.len() {
            pipelines.clear();
        }
        Ok(Self { cache, store: store.clone(), initial: pipelines, usage: Mutex::default() })
    }

    /// The cache to compile pipelines with.
    pub(super) fn handle(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Size of the cache's data.
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.cache)
    }

    /// Stores the cache's contents after `pipelines` were compiled, if they are larger than the `bytes_before`.
    pub(super) fn store(&self, adapter: &AdapterInfo, pipelines: &BTreeSet<String>, bytes_before: usize) {
        let data = self.cache.get_data().unwrap_or_default();
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if usage.count(pipelines, &self.initial, data.len() > bytes_before) {
            usage.added.extend(pipelines.iter().cloned());
            let pipelines = self.initial.union(&usage.added).cloned().collect();
            self.store.put(adapter, PipelineCacheData { data, pipelines });
        }
    }

    /// Hits and misses so far, in words for results.
    pub(super) fn words(&self) -> String {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).words()
    }
}

fn bytes(cache: &wgpu::PipelineCache) -> usize {
    cache.get_data().map_or(0, |data| data.len())
}

#[allow(unsafe_code, reason = "a driver cannot verify the data; reading them verifies their SHA-256")]
fn create(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("gpubench"), data, fallback: true };
    // SAFETY: `data` were returned by `wgpu::PipelineCache::get_data`, in this process or in an earlier one; in the
    // latter case `PipelineCacheData::from_bytes` has verified their SHA-256. wgpu and the driver refuse data of
    // another device or driver.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_file_is_read_and_all_else_refused() {
        let cached =
            PipelineCacheData { data: vec![0, 10, 255, 10], pipelines: ["a".to_owned(), "b".to_owned()].into() };
        let bytes = cached.to_bytes("this adapter").unwrap();
        assert_eq!(PipelineCacheData::from_bytes(&bytes, "this adapter"), Ok(cached));
        let says = |bytes: &[u8], subject| PipelineCacheData::from_bytes(bytes, subject).unwrap_err().to_string();
        assert!(says(&bytes, "that adapter").contains("another adapter"));
        assert!(says(b"", "this adapter").contains("no pipelines"));
        assert!(says(b"{}\n", "this adapter").contains("no pipelines"));
        assert!(says(&bytes[..bytes.len() - 1], "this adapter").contains("damaged"));
        let version = String::from_utf8_lossy(&bytes).replace("\"schema_version\":1", "\"schema_version\":2");
        assert!(says(version.as_bytes(), "this adapter").contains("version"));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            // A damaged hash matches no pipeline; any other damage is refused.
            let read = PipelineCacheData::from_bytes(&damaged, "this adapter");
            assert!(read.is_err() || read.is_ok_and(|read| read.data == [0, 10, 255, 10]), "byte {index}");
        }
    }

    #[test]
    fn warm_cold_and_partly_warm_caches_are_distinguished() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<String>>();
        let after = |compiled: &[&str], initial: &[&str], grew: bool| {
            let mut usage = Usage::default();
            let new = usage.count(&names(compiled), &names(initial), grew);
            (usage.words(), new)
        };
        assert_eq!(Usage::default().words(), "not used");
        assert_eq!(after(&["a", "b"], &["a", "b", "c"], false), ("warm".to_owned(), false));
        assert_eq!(after(&["a", "b"], &["c"], true), ("cold".to_owned(), true));
        assert_eq!(after(&["a"], &[], false), ("cold, and this driver keeps nothing".to_owned(), false));
        assert_eq!(after(&["a", "b", "c"], &["b"], true), ("partly warm, 1 of 3 pipelines".to_owned(), true));
    }
}
