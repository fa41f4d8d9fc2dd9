//! Messages between ranks: the calls of the MPI library, each for itself and each without waiting.
//!
//! The library is asked for `MPI_THREAD_SERIALIZED`: a lock admits one call at a time, of the thread that trains or of
//! the one that watches. A call that would wait for another rank is never made, so that the lock is free again at once
//! and a rank that says nothing can be told from one that is slow.
#![allow(unsafe_code, reason = "the safe interface of the crate mpi ends the process where a call fails")]

use crate::error::{Error, Result};
use mpi::Threading;
use mpi::environment::Universe;
use mpi::ffi;
use mpi::raw::AsRaw as _;
use std::ffi::{c_char, c_int, c_void};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a text that the library gives, at most: no library asks for more.
const TEXT_BYTES: usize = 4096;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// A part of a sum.
    Sum = 1,
    /// The length of what is gathered.
    Length = 2,
    /// What is gathered.
    Gathered = 3,
    /// Signs of life, failures, farewells.
    Watch = 4,
}

/// The ranks that were started together.
pub(super) struct Wire {
    universe: Mutex<ManuallyDrop<Universe>>,
    communicator: ffi::MPI_Comm,
    rank: usize,
    ranks: usize,
}

// SAFETY: the handle is a number or a pointer into the library, which is only called while `universe` is locked.
unsafe impl Send for Wire {}
// SAFETY: as above.
unsafe impl Sync for Wire {}

impl Wire {
    /// Starts the library, once in a process.
    ///
    /// # Errors
    /// [`Error::Device`] if the library is running already, or lacks what is needed of it.
    pub(super) fn open() -> Result<Arc<Self>> {
        let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized)
            .ok_or_else(|| Error::Device("the MPI library was started twice".to_owned()))?;
        let world = universe.world();
        let communicator = world.as_raw();
        // SAFETY: the library is running, and the communicator of all ranks exists as long as it does.
        let set = unsafe { ffi::MPI_Comm_set_errhandler(communicator, ffi::RSMPI_ERRORS_RETURN) };
        let number = |ask: unsafe extern "C" fn(ffi::MPI_Comm, *mut c_int) -> c_int| {
            let mut number = 0;
            // SAFETY: both functions write one number.
            expect(unsafe { ask(communicator, &raw mut number) }).map(|()| number as usize)
        };
        let (rank, ranks) = (number(ffi::MPI_Comm_rank)?, number(ffi::MPI_Comm_size)?);
        if threading < Threading::Serialized {
            return Err(Error::Device(
                "this MPI library lets one thread alone call it, which does not do to watch the other ranks: use one \
                 built with threads"
                    .to_owned(),
            ));
        }
        expect(set)?;
        Ok(Arc::new(Self { universe: Mutex::new(ManuallyDrop::new(universe)), communicator, rank, ranks }))
    }

    /// The rank of this process.
    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    /// Number of ranks.
    pub(super) fn ranks(&self) -> usize {
        self.ranks
    }

    fn lock(&self) -> MutexGuard<'_, ManuallyDrop<Universe>> {
        self.universe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of this host.
    pub(super) fn host(&self) -> String {
        let _locked = self.lock();
        let mut text = vec![0_u8; TEXT_BYTES];
        let mut length = 0;
        // SAFETY: the library writes at most MPI_MAX_PROCESSOR_NAME characters, which is far less.
        let got = unsafe { ffi::MPI_Get_processor_name(text.as_mut_ptr().cast::<c_char>(), &raw mut length) };
        text.truncate(length.max(0) as usize);
        if expect(got).is_ok() { String::from_utf8_lossy(&text).into_owned() } else { "unknown host".to_owned() }
    }

    /// Begins to send `bytes` to `rank`.
    ///
    /// # Errors
    /// [`Error::Device`] with the library's words.
    pub(super) fn send(self: &Arc<Self>, rank: usize, tag: Tag, bytes: Vec<u8>) -> Result<Transfer> {
        self.begin(bytes, |bytes, request| {
            let (data, count) = (bytes.as_ptr().cast::<c_void>(), bytes.len() as c_int);
            // SAFETY: the bytes stay where they are until the transfer has finished, see `Transfer`.
            unsafe {
                ffi::MPI_Isend(data, count, ffi::RSMPI_UINT8_T, rank as c_int, tag as c_int, self.communicator, request)
            }
        })
    }

    /// Begins to receive as many bytes as `bytes` has from `rank`.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub(super) fn receive(self: &Arc<Self>, rank: usize, tag: Tag, bytes: Vec<u8>) -> Result<Transfer> {
        self.begin(bytes, |bytes, request| {
            let (data, count) = (bytes.as_mut_ptr().cast::<c_void>(), bytes.len() as c_int);
            // SAFETY: as for `send`; nobody reads the bytes before the transfer has finished.
            unsafe {
                ffi::MPI_Irecv(data, count, ffi::RSMPI_UINT8_T, rank as c_int, tag as c_int, self.communicator, request)
            }
        })
    }

    fn begin(
        self: &Arc<Self>,
        mut bytes: Vec<u8>,
        call: impl FnOnce(&mut Vec<u8>, *mut ffi::MPI_Request) -> c_int,
    ) -> Result<Transfer> {
        let _locked = self.lock();
        // SAFETY: the library's constant for no request.
        let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
        expect(call(&mut bytes, &raw mut request))?;
        Ok(Transfer { wire: self.clone(), request, bytes: ManuallyDrop::new(bytes), finished: false })
    }

    /// A message of the watch that has come, and its rank.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub(super) fn watched(self: &Arc<Self>) -> Result<Option<(usize, Vec<u8>)>> {
        let _locked = self.lock();
        let (mut found, mut count) = (0, 0);
        let mut status = MaybeUninit::<ffi::MPI_Status>::zeroed();
        // SAFETY: the library fills the status if it finds a message, which is received at once by its own size.
        unsafe {
            expect(ffi::MPI_Iprobe(
                ffi::RSMPI_ANY_SOURCE,
                Tag::Watch as c_int,
                self.communicator,
                &raw mut found,
                status.as_mut_ptr(),
            ))?;
            if found == 0 {
                return Ok(None);
            }
            let status = status.assume_init();
            expect(ffi::MPI_Get_count(&raw const status, ffi::RSMPI_UINT8_T, &raw mut count))?;
            let mut bytes = vec![0_u8; count.max(0) as usize];
            expect(ffi::MPI_Recv(
                bytes.as_mut_ptr().cast::<c_void>(),
                count,
                ffi::RSMPI_UINT8_T,
                status.MPI_SOURCE,
                Tag::Watch as c_int,
                self.communicator,
                ffi::RSMPI_STATUS_IGNORE,
            ))?;
            Ok(Some((status.MPI_SOURCE as usize, bytes)))
        }
    }

    /// Ends the library together with all other ranks; nothing may be sent afterwards.
    pub(super) fn close(&self) {
        let mut universe = self.lock();
        // SAFETY: the world calls this once, at its end.
        unsafe { ManuallyDrop::drop(&mut universe) };
    }

    /// Ends all ranks with the exit code `code`.
    pub(super) fn abort(&self, code: u8) {
        let _locked = self.lock();
        // SAFETY: the call does not return.
        unsafe { ffi::MPI_Abort(self.communicator, c_int::from(code)) };
    }
}

/// Bytes on their way. They are leaked where this is dropped before they have arrived: the library still uses them.
pub(super) struct Transfer {
    wire: Arc<Wire>,
    request: ffi::MPI_Request,
    bytes: ManuallyDrop<Vec<u8>>,
    finished: bool,
}

// SAFETY: the request is only used while the wire is locked.
unsafe impl Send for Transfer {}

impl Transfer {
    /// Whether the bytes have arrived, or may be reused.
    ///
    /// # Errors
    /// [`Error::Device`] with the library's words.
    pub(super) fn finished(&mut self) -> Result<bool> {
        if !self.finished {
            let _locked = self.wire.lock();
            let mut flag = 0;
            // SAFETY: the request is active until the library says that it has finished.
            expect(unsafe { ffi::MPI_Test(&raw mut self.request, &raw mut flag, ffi::RSMPI_STATUS_IGNORE) })?;
            self.finished = flag != 0;
        }
        Ok(self.finished)
    }

    /// The bytes, once they have arrived.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.finished { std::mem::take(&mut *self.bytes) } else { Vec::new() }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if self.finished {
            // SAFETY: the library is done with the bytes, and nothing uses them after this.
            unsafe { ManuallyDrop::drop(&mut self.bytes) };
        }
    }
}

/// The outcome of a call.
///
/// # Errors
/// [`Error::Device`] with the library's words.
fn expect(code: c_int) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    let mut text = vec![0_u8; TEXT_BYTES];
    let mut length = 0;
    // SAFETY: the library writes at most MPI_MAX_ERROR_STRING characters, which is far less.
    unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast::<c_char>(), &raw mut length) };
    text.truncate(length.max(0) as usize);
    Err(Error::Device(format!("the MPI library failed: {}", String::from_utf8_lossy(&text))))
}
