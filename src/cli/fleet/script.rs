//! A script that submits hosts of Slurm as jobs.

use super::folder::Folder;
use super::hosts::{Fleet, SLURM_OPTIONS, Through, quoted, run_words};
use crate::error::{Error, Result};

/// The script, which submits a job for each host of Slurm without a result, and how many there are.
///
/// # Errors
/// [`Error::Usage`] if no host is Slurm's, or all have their results.
pub fn sbatch(fleet: &Fleet, folder: &Folder) -> Result<(String, usize)> {
    let place = std::path::absolute(folder.path())
        .map_err(|error| Error::Output(format!("{} has no absolute path: {error}", folder.path().display())))?;
    let mut script = String::from(
        "#!/bin/sh\n# Submits a job for each host. The folder of results has to be one that the nodes see.\nset -eu\n",
    );
    let mut jobs = 0;
    for host in fleet.hosts.iter().filter(|host| !folder.has(&host.name)) {
        let Through::Slurm { options } = &host.through else { continue };
        let run = quoted(std::iter::once(&host.program).chain(&run_words(&fleet.args)));
        let file = |ending: &str| place.join(format!("{}.{ending}", host.name)).display().to_string();
        let mut words: Vec<String> = SLURM_OPTIONS.map(str::to_owned).to_vec();
        words.extend(options.iter().cloned());
        words.extend([format!("--output={}", file("out")), format!("--error={}", file("log"))]);
        words.push(format!("--wrap={run}"));
        script.push_str(&format!("sbatch {}\n", quoted(&words)));
        jobs += 1;
    }
    match jobs {
        0 => Err(Error::Usage("no host with slurm = true is without its result: there is no job to write".to_owned())),
        _ => Ok((script, jobs)),
    }
}
