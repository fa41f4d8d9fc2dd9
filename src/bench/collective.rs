//! What the processes that train together tell each other: each has a part of the devices, and all take the same steps.

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Processes that train together, ranked from 0. Every rank makes the same calls in the same order; a call returns when
/// it has what it needs of the others.
///
/// Every method fails with the error of a rank that failed or ended, which it names.
pub trait Collective: Send + Sync {
    /// The rank of this process.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn ranks(&self) -> usize;

    /// A rank for people: "rank 2 of 4 (node17)".
    fn name_of(&self, rank: usize) -> String;

    /// The name of a rank's host.
    fn host_of(&self, rank: usize) -> String;

    /// Replaces `values` by their sum over all ranks, which is taken in the order of the ranks, so that the same ranks
    /// give the same bits; gives whether any rank wants to stop.
    ///
    /// # Errors
    /// That of a rank that failed or ended.
    fn sum(&self, values: &mut [f32], stop: bool) -> Result<bool>;

    /// What each rank gives, in the order of the ranks.
    ///
    /// # Errors
    /// As [`Collective::sum`].
    fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>>;

    /// Whether any rank says so.
    ///
    /// # Errors
    /// As [`Collective::sum`].
    fn any(&self, own: bool) -> Result<bool> {
        Ok(self.ranks() > 1 && self.gather(vec![u8::from(own)])?.iter().any(|one| one == &[1]) || own)
    }

    /// Whether rank 0 says so, whose clock counts.
    ///
    /// # Errors
    /// As [`Collective::sum`].
    fn led(&self, own: bool) -> Result<bool> {
        if self.ranks() == 1 {
            return Ok(own);
        }
        Ok(self.gather(vec![u8::from(own)])?.first().is_some_and(|one| one == &[1]))
    }
}

/// One process alone: all that is to be summed and gathered is its own.
#[derive(Debug, Clone, Copy)]
pub struct OneProcess;

impl Collective for OneProcess {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn name_of(&self, _rank: usize) -> String {
        "this process".to_owned()
    }

    fn host_of(&self, _rank: usize) -> String {
        "this host".to_owned()
    }

    fn sum(&self, _values: &mut [f32], stop: bool) -> Result<bool> {
        Ok(stop)
    }

    fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(vec![own])
    }
}

/// What each rank gives, in the order of the ranks.
///
/// # Errors
/// As [`Collective::sum`]; [`Error::Device`] for a message that is none of this program's version.
pub fn gather<T: Serialize + DeserializeOwned>(group: &dyn Collective, own: &T) -> Result<Vec<T>> {
    let bytes = serde_json::to_vec(own).map_err(|error| Error::Device(format!("a message cannot be made: {error}")))?;
    let read = |(rank, bytes): (usize, Vec<u8>)| {
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Device(format!("{} sent what cannot be read ({error})", group.name_of(rank))))
    };
    group.gather(bytes)?.into_iter().enumerate().map(read).collect()
}

/// `own` if every rank succeeded in what all had to do for themselves, else the error of the first that failed, which
/// is named, on every rank.
///
/// # Errors
/// That error, or as [`Collective::sum`].
pub fn all_succeeded<T>(group: &dyn Collective, own: Result<T>) -> Result<T> {
    if group.ranks() == 1 {
        return own;
    }
    let told = own.as_ref().err().map(|error| (error.exit_code(), error.to_string()));
    let failed = gather(group, &told)?.into_iter().enumerate().find_map(|(rank, told)| Some((rank, told?)));
    match failed {
        Some((rank, (code, words))) => Err(Error::of_code(code, format!("{}: {words}", group.name_of(rank)))),
        None => own,
    }
}

/// Refuses ranks that differ in one of `properties`, each with its name, from rank 0.
///
/// # Errors
/// [`Error::Usage`] on every rank, naming the first rank that differs, in what, and both values.
pub fn expect_alike(group: &dyn Collective, properties: &[(String, String)]) -> Result<()> {
    let all = gather(group, &properties.to_vec())?;
    let Some(first) = all.first() else { return Ok(()) };
    let value = |properties: &[(String, String)], name: &str| {
        properties.iter().find(|(other, _)| other == name).map_or("unknown".to_owned(), |(_, value)| value.clone())
    };
    for (rank, other) in all.iter().enumerate() {
        let names = first.iter().chain(other).map(|(name, _)| name);
        let different = names.map(|name| (name, value(first, name), value(other, name))).find(|(_, a, b)| a != b);
        if let Some((name, first, other)) = different {
            return Err(Error::Usage(format!(
                "{} has another {name} than {}: {other} in place of {first}; start every rank with the same program, \
                 options and data",
                group.name_of(rank),
                group.name_of(0)
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two ranks gave, as the second sees it.
    struct Second([Vec<u8>; 2]);

    impl Collective for Second {
        fn rank(&self) -> usize {
            1
        }

        fn ranks(&self) -> usize {
            2
        }

        fn name_of(&self, rank: usize) -> String {
            format!("rank {rank} of 2 (here)")
        }

        fn host_of(&self, _rank: usize) -> String {
            "here".to_owned()
        }

        fn sum(&self, _values: &mut [f32], stop: bool) -> Result<bool> {
            Ok(stop)
        }

        fn gather(&self, _own: Vec<u8>) -> Result<Vec<Vec<u8>>> {
            Ok(self.0.to_vec())
        }
    }

    fn properties(seed: u32) -> Vec<(String, String)> {
        vec![("batch".to_owned(), "128".to_owned()), ("seed".to_owned(), seed.to_string())]
    }

    #[test]
    fn one_process_agrees_with_itself() {
        assert_eq!((OneProcess.any(true), OneProcess.led(true)), (Ok(true), Ok(true)));
        assert_eq!((OneProcess.any(false), OneProcess.led(false)), (Ok(false), Ok(false)));
        assert_eq!(expect_alike(&OneProcess, &properties(1)), Ok(()));
        assert_eq!(all_succeeded(&OneProcess, Err::<(), _>(Error::Interrupted)), Err(Error::Interrupted));
    }

    #[test]
    fn any_rank_may_stop_all_and_the_first_decides_on_time() {
        let told = |first: u8, second: u8| Second([vec![first], vec![second]]);
        assert_eq!((told(0, 1).any(true), told(0, 1).led(true)), (Ok(true), Ok(false)));
        assert_eq!((told(1, 0).any(false), told(1, 0).led(false)), (Ok(true), Ok(true)));
        assert_eq!(told(0, 0).any(false), Ok(false));
    }

    #[test]
    fn a_rank_that_differs_is_named_with_both_values() {
        let group = |seed| Second([1, seed].map(|seed| serde_json::to_vec(&properties(seed)).unwrap()));
        assert_eq!(expect_alike(&group(1), &properties(1)), Ok(()));
        let error = expect_alike(&group(7), &properties(7)).unwrap_err();
        let words = "rank 1 of 2 (here) has another seed than rank 0 of 2 (here): 7 in place of 1";
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn the_error_of_one_rank_is_that_of_all() {
        let told = |error: Option<(u8, &str)>| serde_json::to_vec(&error).unwrap();
        let group = Second([told(None), told(Some((3, "no such folder")))]);
        let error = all_succeeded(&group, Ok(())).unwrap_err();
        assert_eq!(error, Error::Data("rank 1 of 2 (here): no such folder".to_owned()));
    }
}
