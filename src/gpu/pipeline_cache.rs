//! PipelineCacheData pipelines that outlive the device they were compiled on, where the backend has a pipeline cache.

use super::adapter::AdapterInfo;
use super::device::Gpu;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the driver keeps of pipelines, and which pipelines they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineCacheData {
    /// In a form that only this driver reads.
    data: Vec<u8>,
    /// The hash of all that each pipeline was made from.
    pipelines: BTreeSet<String>,
}

/// The line of JSON before the driver's data.
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
    /// The bytes to keep, which say that they belong to `subject`: a line of JSON, then what the driver gave.
    ///
    /// # Errors
    /// [`Error::Output`] if the line cannot be written as JSON.
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

    /// Reads what [`PipelineCacheData::to_bytes`] wrote for the same `subject`.
    ///
    /// # Errors
    /// [`Error::Data`] if the bytes are something else, belong to another subject, or have changed since.
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

/// What was compiled on the adapters of one list, by the adapter's index; nothing for an adapter that keeps nothing.
#[derive(Clone, Default)]
pub(super) struct PipelineCacheStore(Arc<Mutex<HashMap<usize, PipelineCacheData>>>);

impl PipelineCacheStore {
    fn open(&self) -> MutexGuard<'_, HashMap<usize, PipelineCacheData>> {
        // A thread that panicked has left whole entries behind: they are replaced, never changed in place.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `compiled` in the place of what there was for `adapter`.
    pub(super) fn put(&self, adapter: &AdapterInfo, compiled: PipelineCacheData) {
        self.open().insert(adapter.index, compiled);
    }

    /// What there is for `adapter`.
    pub(super) fn get(&self, adapter: &AdapterInfo) -> Option<PipelineCacheData> {
        self.open().get(&adapter.index).cloned()
    }
}

/// What is said of a device that compiles without a cache because nobody asked for one.
pub(super) const OFF: &str = "off";

/// The feature that keeping pipelines of `adapter` needs.
///
/// # Errors
/// In words, why there is none: it was not `asked` for, or the adapter lacks it.
pub(super) fn feature(adapter: &wgpu::Adapter, asked: bool) -> std::result::Result<wgpu::Features, &'static str> {
    match adapter.features().contains(wgpu::Features::PIPELINE_CACHE) {
        true if asked => Ok(wgpu::Features::PIPELINE_CACHE),
        true => Err(OFF),
        false => Err("unsupported by the adapter"),
    }
}

/// A device's pipeline cache.
pub(super) struct PipelineCache {
    cache: wgpu::PipelineCache,
    store: PipelineCacheStore,
    /// What the cache held when it was opened.
    found: BTreeSet<String>,
    /// What was compiled since.
    used: Mutex<Used>,
}

/// How a cache has served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Used {
    /// Pipelines that were in it.
    found: usize,
    /// Pipelines that were not.
    made: usize,
    /// Whether those that were made are in it now.
    kept: bool,
    /// Those that are in it now and were not before.
    held: BTreeSet<String>,
}

impl Used {
    /// Counts the pipelines of `compiled`, of which the cache held those of `found` before; whether it `grew` says if it keeps the others.
    /// Returns whether there is something new to keep.
    fn count(&mut self, compiled: &BTreeSet<String>, found: &BTreeSet<String>, grew: bool) -> bool {
        let made = compiled.difference(found).count();
        self.found += compiled.len() - made;
        self.made += made;
        self.kept |= grew;
        grew && made > 0
    }

    /// In words, for results.
    fn words(&self) -> String {
        match (self.found, self.made) {
            (0, 0) => "not used".to_owned(),
            (_, 0) => "warm".to_owned(),
            (0, _) if self.kept => "cold".to_owned(),
            (0, _) => "cold, and this driver keeps nothing".to_owned(),
            (found, made) => format!("partly warm, {found} of {} pipelines", found + made),
        }
    }
}

impl PipelineCache {
    /// A cache that begins with what is on the store for the adapter of `gpu`.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(super) async fn open(gpu: &Gpu, store: &PipelineCacheStore) -> std::result::Result<Self, &'static str> {
        let PipelineCacheData { data, mut pipelines } = store.get(&gpu.adapter).ok_or(OFF)?;
        let known = (!data.is_empty()).then_some(&data[..]);
        let cache = match gpu.attempt(|| create(&gpu.device, known)).await {
            Ok(cache) => cache,
            // It is of another device: begin with nothing.
            Err(_) => gpu.attempt(|| create(&gpu.device, None)).await.map_err(|_| "refused by the driver")?,
        };
        // Drivers do not say that they refuse what they are given; they then hold next to nothing.
        if 2 * bytes(&cache) < data.len() {
            pipelines.clear();
        }
        Ok(Self { cache, store: store.clone(), found: pipelines, used: Mutex::default() })
    }

    /// What pipelines are compiled with.
    pub(super) fn handle(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.cache)
    }

    /// Puts on the store what the cache holds after `pipelines` were compiled, if that is more than the `bytes_before`.
    pub(super) fn keep(&self, adapter: &AdapterInfo, pipelines: &BTreeSet<String>, bytes_before: usize) {
        let data = self.cache.get_data().unwrap_or_default();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.count(pipelines, &self.found, data.len() > bytes_before) {
            used.held.extend(pipelines.iter().cloned());
            let pipelines = self.found.union(&used.held).cloned().collect();
            self.store.put(adapter, PipelineCacheData { data, pipelines });
        }
    }

    /// How the cache has served so far, in words for results.
    pub(super) fn words(&self) -> String {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).words()
    }
}

fn bytes(cache: &wgpu::PipelineCache) -> usize {
    cache.get_data().map_or(0, |data| data.len())
}

#[allow(unsafe_code, reason = "a driver cannot prove what it is given; who keeps it proves that it is unchanged")]
fn create(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("gpubench"), data, fallback: true };
    // SAFETY: `data` were returned by `wgpu::PipelineCache::get_data`: in this process, or in an earlier one, and then they are unchanged
    // since, as `PipelineCacheData::from_bytes` has proved with their SHA-256. wgpu and the driver refuse those of another device or driver.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_all_else_refused() {
        let kept = PipelineCacheData { data: vec![0, 10, 255, 10], pipelines: ["a".to_owned(), "b".to_owned()].into() };
        let bytes = kept.to_bytes("this adapter").unwrap();
        assert_eq!(PipelineCacheData::from_bytes(&bytes, "this adapter"), Ok(kept));
        let says = |bytes: &[u8], subject| PipelineCacheData::from_bytes(bytes, subject).unwrap_err().to_string();
        assert!(says(&bytes, "that adapter").contains("another adapter"));
        assert!(says(b"", "this adapter").contains("no pipelines"));
        assert!(says(b"{}\n", "this adapter").contains("no pipelines"));
        assert!(says(&bytes[..bytes.len() - 1], "this adapter").contains("damaged"));
        let version = String::from_utf8_lossy(&bytes).replace("\"schema_version\":1", "\"schema_version\":2");
        assert!(says(version.as_bytes(), "this adapter").contains("version"));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            // A name that was damaged is that of no pipeline; everything else is refused.
            let read = PipelineCacheData::from_bytes(&damaged, "this adapter");
            assert!(read.is_err() || read.is_ok_and(|read| read.data == [0, 10, 255, 10]), "byte {place}");
        }
    }

    #[test]
    fn warm_is_told_from_cold() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<String>>();
        let after = |compiled: &[&str], found: &[&str], grew: bool| {
            let mut used = Used::default();
            let new = used.count(&names(compiled), &names(found), grew);
            (used.words(), new)
        };
        assert_eq!(Used::default().words(), "not used");
        assert_eq!(after(&["a", "b"], &["a", "b", "c"], false), ("warm".to_owned(), false));
        assert_eq!(after(&["a", "b"], &["c"], true), ("cold".to_owned(), true));
        assert_eq!(after(&["a"], &[], false), ("cold, and this driver keeps nothing".to_owned(), false));
        assert_eq!(after(&["a", "b", "c"], &["b"], true), ("partly warm, 1 of 3 pipelines".to_owned(), true));
    }
}
