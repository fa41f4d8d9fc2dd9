//! A thread that tells the other ranks that this one is alive, and finds out which of them failed or fell silent.
//!
//! A rank may compute for long without a word to the others (a driver compiles, rank 0 evaluates); that it is silent
//! does not mean that it ended. This thread speaks for it. A process that was stopped or killed, and a host that is out
//! of reach, say nothing.

use super::wire::{Tag, Transfer, Wire};
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a rank says that it is alive.
const SIGN_OF_LIFE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a rank may say nothing.
const MOST_SILENCE: Duration = Duration::from_secs(8);
/// How often messages are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A pause of this thread by which it was stopped itself, with the whole job: nobody is late then.
const OWN_PAUSE: Duration = Duration::from_secs(3);
/// How long the work of this rank may go on after another one failed, such as that of a compiler.
const MOST_WORK_AFTER_FAILURE: Duration = Duration::from_secs(4);
/// Bytes of an error's words that are sent: few enough for a message that needs no answer.
const MOST_WORDS: usize = 1000;

/// What a message begins with.
const ALIVE: u8 = b'a';
const FAILED: u8 = b'f';
const LEFT: u8 = b'l';

/// What is known of the other ranks.
struct Seen {
    heard: Vec<Instant>,
    left: Vec<bool>,
    /// The first failure of any rank, and when it was found.
    failure: Option<(Error, Instant)>,
    /// Messages on their way.
    sending: Vec<Transfer>,
}

/// What the thread that watches and the one that trains share.
pub(super) struct Watched {
    wire: Arc<Wire>,
    hosts: OnceLock<Vec<String>>,
    seen: Mutex<Seen>,
    ended: AtomicBool,
    /// Whether this rank is on its way out.
    leaving: AtomicBool,
}

/// The watch over the other ranks, which ends when it is dropped.
pub(super) struct Watch {
    pub(super) watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to watch the other ranks. Where this rank's work goes on for long after the failure of
    /// another one, `give_up` is called with it, which ends the process.
    ///
    /// # Errors
    /// [`Error::Device`] if no thread can be started.
    pub(super) fn start(wire: Arc<Wire>, give_up: impl Fn(&Error, &Watched) + Send + 'static) -> Result<Self> {
        let seen = Seen {
            heard: vec![Instant::now(); wire.ranks()],
            left: vec![false; wire.ranks()],
            failure: None,
            sending: Vec::new(),
        };
        let (ended, leaving) = (AtomicBool::new(false), AtomicBool::new(false));
        let watched = Arc::new(Watched { wire, hosts: OnceLock::new(), seen: Mutex::new(seen), ended, leaving });
        let shared = watched.clone();
        let watch = move || shared.watch(&give_up);
        let thread = std::thread::Builder::new().name("ranks".to_owned()).spawn(watch);
        let thread = thread.map_err(|error| Error::Device(format!("a thread cannot be started ({error})")))?;
        Ok(Self { watched, thread: Some(thread) })
    }
}

impl Watch {
    /// Ends the watch.
    pub(super) fn end(&mut self) {
        self.watched.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked watches no longer either.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

impl Watched {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the names of the ranks' hosts, once they are known.
    pub(super) fn name_hosts(&self, hosts: Vec<String>) {
        self.hosts.get_or_init(|| hosts);
    }

    /// The name of a rank's host.
    pub(super) fn host(&self, rank: usize) -> &str {
        self.hosts.get().and_then(|hosts| hosts.get(rank)).map_or("unknown host", String::as_str)
    }

    /// A rank for people.
    pub(super) fn name(&self, rank: usize) -> String {
        format!("rank {rank} of {} ({})", self.wire.ranks(), self.host(rank))
    }

    /// Ends all ranks with the exit code `code`, by force.
    pub(super) fn end_all(&self, code: u8) {
        self.wire.abort(code);
    }

    /// Whether all other ranks have ended their part.
    pub(super) fn all_left(&self) -> bool {
        let seen = self.seen();
        self.others().all(|rank| seen.left[rank])
    }

    /// The failure of another rank, if one failed.
    pub(super) fn failure(&self) -> Option<Error> {
        self.seen().failure.as_ref().map(|(error, _)| error.clone())
    }

    /// Whether `rank` has ended its part.
    pub(super) fn has_left(&self, rank: usize) -> bool {
        self.seen().left[rank]
    }

    /// The ranks from which nothing was heard for long, and which have not left.
    pub(super) fn silent(&self) -> Vec<usize> {
        let seen = self.seen();
        self.others().filter(|&rank| !seen.left[rank] && seen.heard[rank].elapsed() > MOST_SILENCE).collect()
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        let own = self.wire.rank();
        (0..self.wire.ranks()).filter(move |rank| *rank != own)
    }

    /// Tells all other ranks that this one failed.
    pub(super) fn tell_failure(&self, error: &Error) {
        let mut message = vec![FAILED, error.exit_code()];
        let words = error.to_string();
        message.extend(&words.as_bytes()[..words.floor_char_boundary(MOST_WORDS)]);
        self.tell(&message);
    }

    /// Tells all other ranks that this one has ended its part; the last that it tells them.
    pub(super) fn tell_farewell(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.tell(&[LEFT]);
    }

    /// Whether all messages are out.
    pub(super) fn has_told(&self) -> bool {
        let mut seen = self.seen();
        seen.sending.retain_mut(|transfer| transfer.finished() == Ok(false));
        seen.sending.is_empty()
    }

    fn tell(&self, message: &[u8]) {
        let mut seen = self.seen();
        for rank in self.others() {
            // Who cannot be told is silent to this rank too.
            seen.sending.extend(self.wire.send(rank, Tag::Watch, message.to_vec()));
        }
    }

    fn watch(&self, give_up: &impl Fn(&Error, &Watched)) {
        let (mut last_sign, mut last_turn): (Option<Instant>, Instant) = (None, Instant::now());
        while !self.ended.load(Ordering::Relaxed) {
            if last_turn.elapsed() > OWN_PAUSE {
                self.seen().heard.fill(Instant::now());
            }
            last_turn = Instant::now();
            let leaving = self.leaving.load(Ordering::Relaxed);
            if !leaving && last_sign.is_none_or(|last| last.elapsed() >= SIGN_OF_LIFE_INTERVAL) {
                self.tell(&[ALIVE]);
                last_sign = Some(last_turn);
            }
            self.has_told();
            while let Ok(Some((rank, message))) = self.wire.watched() {
                self.hear(rank, &message);
            }
            if let Some(rank) = self.silent().first() {
                self.fail(Error::Device(format!(
                    "{}: no sign of life for {} s: it was stopped or killed, or its host is out of reach",
                    self.name(*rank),
                    MOST_SILENCE.as_secs()
                )));
            }
            let failed = self.seen().failure.clone();
            if let Some((error, _)) = failed.filter(|(_, since)| since.elapsed() > MOST_WORK_AFTER_FAILURE && !leaving)
            {
                give_up(&error, self);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn hear(&self, rank: usize, message: &[u8]) {
        let mut seen = self.seen();
        seen.heard[rank] = Instant::now();
        match message {
            [LEFT, ..] => seen.left[rank] = true,
            [FAILED, code, words @ ..] => {
                let words = String::from_utf8_lossy(words).into_owned();
                // What a rank says of another one names that one already.
                let words = if words.starts_with("rank ") { words } else { format!("{}: {words}", self.name(rank)) };
                drop(seen);
                self.fail(Error::of_code(*code, words));
            }
            _ => {}
        }
    }

    /// Keeps the first failure.
    fn fail(&self, error: Error) {
        self.seen().failure.get_or_insert_with(|| (error, Instant::now()));
    }
}
