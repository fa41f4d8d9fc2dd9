//! Ranks that an MPI launcher started, on one host or many: an edge, and the only place that uses an MPI library.

mod group;
mod watch;
mod wire;

use crate::bench::Collective;
use crate::error::{Error, Result};
use group::Group;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watch::Watch;
use wire::Wire;

/// How often a rank that leaves looks whether the others do.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// How long a rank that failed waits for the others to end by themselves.
const MOST_TIME_TO_END: Duration = Duration::from_secs(2);
/// How long another than the first that can ends all ranks later.
const LATER: Duration = Duration::from_secs(2);

/// The ranks that were started together. Every rank leaves by [`World::leave`]; where one cannot, all are ended.
pub struct World {
    wire: Arc<Wire>,
    watch: Watch,
    group: Group,
    /// Says an error on stderr.
    say: fn(&Error),
    left: bool,
}

impl World {
    /// Joins the ranks that a launcher started; without one this is the only rank. `stop` tells whether the process was
    /// asked to stop, `say` says an error on stderr.
    ///
    /// # Errors
    /// [`Error::Device`] if the MPI library fails.
    pub fn join(stop: fn() -> bool, say: fn(&Error)) -> Result<Self> {
        let wire = Wire::open()?;
        let watch = Watch::start(wire.clone(), move |error, watched| {
            say(error);
            watched.end_all(error.exit_code());
        })?;
        let group = Group::new(wire.clone(), watch.watched.clone(), stop);
        let hosts = group.gather(wire.host().into_bytes())?;
        watch.watched.name_hosts(hosts.iter().map(|host| String::from_utf8_lossy(host).into_owned()).collect());
        Ok(Self { wire, watch, group, say, left: false })
    }

    /// The ranks as a collective.
    pub fn group(&self) -> &dyn Collective {
        &self.group
    }

    /// The failure of another rank, if one failed.
    pub fn failure(&self) -> Option<Error> {
        self.watch.watched.failure()
    }

    /// Number of this rank among those on its host, and how many they are.
    pub fn place_on_host(&self) -> (usize, usize) {
        let watched = &self.watch.watched;
        let own = self.group.rank();
        let same =
            |ranks: std::ops::Range<usize>| ranks.filter(|rank| watched.host(*rank) == watched.host(own)).count();
        (same(0..own), same(0..self.group.ranks()))
    }

    /// Ends this rank's part with what came of it, which has been said, and waits until the others have ended theirs.
    /// Where one of them failed and others do not end, all are ended by force, and this does not return.
    ///
    /// # Errors
    /// That of `outcome`, else that of another rank.
    pub fn leave(mut self, outcome: Result<u8>) -> Result<u8> {
        let watched = self.watch.watched.clone();
        if let Err(error) = &outcome
            && watched.failure().as_ref() != Some(error)
        {
            watched.tell_failure(error);
        }
        watched.tell_farewell();
        let start = Instant::now();
        let mut failed: Option<Instant> = outcome.is_err().then_some(start);
        while !(watched.all_left() && watched.has_told()) {
            if watched.failure().is_some() {
                failed.get_or_insert_with(Instant::now);
            }
            let silent = watched.silent();
            let is_first = (0..self.wire.rank()).all(|rank| silent.contains(&rank));
            let patience = if is_first { MOST_TIME_TO_END } else { MOST_TIME_TO_END + LATER };
            if failed.is_some_and(|since| since.elapsed() > patience) {
                self.left = true;
                let failure = watched.failure().filter(|_| outcome.is_ok()).inspect(self.say);
                let error = outcome.err().or(failure).unwrap_or(Error::Interrupted);
                watched.end_all(error.exit_code());
                return Err(error);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        self.left = true;
        self.watch.end();
        self.wire.close();
        outcome.and_then(|code| watched.failure().map_or(Ok(code), Err))
    }
}

impl Drop for World {
    /// Ends all ranks if this one ends without having left, by a panic.
    fn drop(&mut self) {
        if !self.left {
            self.watch.watched.end_all(1);
        }
    }
}
