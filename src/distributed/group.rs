//! The ranks as a [`Collective`].

use super::watch::Watched;
use super::wire::{Tag, Transfer, Wire};
use crate::bench::Collective;
use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a rank that waits does nothing else: longer than ranks usually are apart in a step.
const SPIN: Duration = Duration::from_millis(20);
/// How often it looks afterwards.
const POLL_INTERVAL: Duration = Duration::from_micros(50);
/// How many looks lie between two looks at how the other ranks are.
const LOOKS: u32 = 64;
/// How long others may take to hear of a request to stop: what started the ranks ends them by force a second after it.
const MOST_TIME_TO_STOP: Duration = Duration::from_millis(500);
/// How long what a rank sent before it ended may be on its way.
const MOST_TIME_OF_LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes of a value.
const VALUE_BYTES: usize = size_of::<f32>();

/// The ranks as a collective.
pub(super) struct Group {
    wire: Arc<Wire>,
    watched: Arc<Watched>,
    /// Whether this process was asked to stop.
    stop: fn() -> bool,
    /// Memory of earlier messages.
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Group {
    pub(super) fn new(wire: Arc<Wire>, watched: Arc<Watched>, stop: fn() -> bool) -> Self {
        Self { wire, watched, stop, spare: Mutex::default() }
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        let own = self.wire.rank();
        (0..self.wire.ranks()).filter(move |rank| *rank != own)
    }

    /// The values of `count` that `rank` adds up.
    fn range(&self, rank: usize, count: usize) -> Range<usize> {
        let border = |rank: usize| rank * count / self.wire.ranks();
        border(rank)..border(rank + 1)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for `length` bytes, of an earlier message if there is some.
    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = self.spare().pop().unwrap_or_default();
        bytes.resize(length, 0);
        bytes
    }

    /// Sends `outgoing` to the other ranks, receives as many bytes as `incoming` says of each, and gives them with
    /// their ranks, in order.
    fn exchange(
        &self,
        tag: Tag,
        outgoing: impl Fn(usize) -> Vec<u8>,
        incoming: impl Fn(usize) -> usize,
    ) -> Result<Vec<(usize, Vec<u8>)>> {
        let mut transfers = Vec::new();
        for rank in self.others() {
            transfers.push((rank, self.wire.receive(rank, tag, self.bytes(incoming(rank)))?));
        }
        let count = transfers.len();
        for rank in self.others() {
            transfers.push((rank, self.wire.send(rank, tag, outgoing(rank))?));
        }
        self.finish(&mut transfers)?;
        let mut received: Vec<_> =
            transfers.into_iter().map(|(rank, transfer)| (rank, transfer.into_bytes())).collect();
        self.spare().extend(received.drain(count..).map(|(_, bytes)| bytes));
        Ok(received)
    }

    /// Keeps the memory of messages that have been read.
    fn reuse(&self, messages: Vec<(usize, Vec<u8>)>) {
        self.spare().extend(messages.into_iter().map(|(_, bytes)| bytes));
    }

    /// Waits until all of `transfers` have finished.
    fn finish(&self, transfers: &mut [(usize, Transfer)]) -> Result<()> {
        let start = Instant::now();
        let (mut asked, mut looks): (Option<Instant>, u32) = (None, 0);
        loop {
            let mut open = None;
            for (rank, transfer) in &mut *transfers {
                let finished = transfer.finished().map_err(|error| self.named(*rank, &error.to_string()))?;
                open = open.or((!finished).then_some(*rank));
            }
            let Some(rank) = open else { return Ok(()) };
            looks += 1;
            if looks.is_multiple_of(LOOKS) {
                self.expect_answer(rank, start, &mut asked)?;
            }
            if start.elapsed() < SPIN {
                std::thread::yield_now();
            } else {
                std::thread::sleep(POLL_INTERVAL);
            }
        }
    }

    /// Whether it is worth to wait on for `rank`, since `start`.
    fn expect_answer(&self, rank: usize, start: Instant, asked: &mut Option<Instant>) -> Result<()> {
        if let Some(failure) = self.watched.failure() {
            return Err(failure);
        }
        if self.watched.has_left(rank) && start.elapsed() > MOST_TIME_OF_LAST_WORDS {
            return Err(self.named(rank, "it has ended before the others"));
        }
        if (self.stop)() && asked.get_or_insert_with(Instant::now).elapsed() > MOST_TIME_TO_STOP {
            return Err(self.named(
                rank,
                "no answer while all were asked to stop: it was killed, stopped or is slow, or another one was",
            ));
        }
        Ok(())
    }

    fn named(&self, rank: usize, words: &str) -> Error {
        Error::Device(format!("{}: {words}", self.watched.name(rank)))
    }
}

impl Collective for Group {
    fn rank(&self) -> usize {
        self.wire.rank()
    }

    fn ranks(&self) -> usize {
        self.wire.ranks()
    }

    fn name_of(&self, rank: usize) -> String {
        self.watched.name(rank)
    }

    fn host_of(&self, rank: usize) -> String {
        self.watched.host(rank).to_owned()
    }

    /// Each rank adds up a range of the values in the order of the ranks, and passes the sums to the others.
    ///
    /// `MPI_Allreduce` does not promise an order. To gather all values of all ranks and add them up on each would, but
    /// takes memory and traffic in proportion to the number of ranks. In ranges each rank sends and receives the values
    /// twice at most, however many ranks there are.
    fn sum(&self, values: &mut [f32], stop: bool) -> Result<bool> {
        let own = self.range(self.rank(), values.len());
        let part = |rank: usize| {
            let part = &values[self.range(rank, values.len())];
            let mut bytes = self.bytes(part.len() * VALUE_BYTES + 1);
            write(part, &mut bytes);
            bytes[part.len() * VALUE_BYTES] = u8::from(stop);
            bytes
        };
        let parts = self.exchange(Tag::Sum, part, |_| own.len() * VALUE_BYTES + 1)?;
        let stop = stop || parts.iter().any(|(_, bytes)| bytes.last() == Some(&1));
        let mut sums = vec![0.0; own.len()];
        for rank in 0..self.ranks() {
            match parts.iter().find(|(other, _)| *other == rank) {
                Some((_, bytes)) => add(&mut sums, read(bytes)),
                None => add(&mut sums, values[own.clone()].iter().copied()),
            }
        }
        self.reuse(parts);
        values[own].copy_from_slice(&sums);
        let sums_of = |_| {
            let mut bytes = self.bytes(sums.len() * VALUE_BYTES);
            write(&sums, &mut bytes);
            bytes
        };
        let length = |rank| self.range(rank, values.len()).len() * VALUE_BYTES;
        let others = self.exchange(Tag::Sum, sums_of, length)?;
        for (rank, bytes) in &others {
            let range = self.range(*rank, values.len());
            values[range].iter_mut().zip(read(bytes)).for_each(|(value, sum)| *value = sum);
        }
        self.reuse(others);
        Ok(stop)
    }

    fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let length = (own.len() as u64).to_le_bytes();
        let lengths = self.exchange(Tag::Length, |_| length.to_vec(), |_| length.len())?;
        let length_of = |rank: usize| {
            let told = lengths.iter().find(|(other, _)| *other == rank);
            let bytes = told.and_then(|(_, bytes)| bytes.as_slice().try_into().ok());
            bytes.map_or(0, u64::from_le_bytes) as usize
        };
        let mut all = self.exchange(Tag::Gathered, |_| own.clone(), length_of)?;
        all.insert(self.rank(), (self.rank(), own));
        Ok(all.into_iter().map(|(_, bytes)| bytes).collect())
    }
}

/// Writes `values` into the first of `bytes`, in an order of bytes that all hosts read.
fn write(values: &[f32], bytes: &mut [u8]) {
    for (value, bytes) in values.iter().zip(bytes.chunks_exact_mut(VALUE_BYTES)) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

/// The values that [`write()`] wrote.
fn read(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (values, _) = bytes.as_chunks::<VALUE_BYTES>();
    values.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

fn add(sums: &mut [f32], values: impl Iterator<Item = f32>) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}
