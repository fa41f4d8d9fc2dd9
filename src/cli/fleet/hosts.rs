//! The hosts of a fleet: read from TOML, or from a file with a command on each line.

use crate::cli::input;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// The most bytes of a file of hosts.
const LIMIT_BYTES: u64 = 1 << 20;
/// The most hosts of a fleet.
const MOST_HOSTS: usize = 4096;
/// The most characters of a host's name, which is that of its files.
const MOST_LETTERS: usize = 64;
/// What is said to ssh in front of a host's own options: never to ask anything, and to notice a host that is gone.
const SSH_OPTIONS: [&str; 8] =
    ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"];
/// What is said to srun and sbatch in front of a host's own options.
pub const SLURM_OPTIONS: [&str; 3] = ["--nodes=1", "--ntasks=1", "--job-name=gpubench"];

/// Hosts, and what each of them runs.
#[derive(Debug)]
pub struct Fleet {
    /// Options of the run.
    pub args: Vec<String>,
    /// At least one, with names that differ.
    pub hosts: Vec<Host>,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    /// Its name in tables, and of its files.
    pub name: String,
    /// How it is reached.
    pub through: Through,
    /// The program there.
    pub program: String,
}

/// How a program is started on a host.
#[derive(Debug)]
pub enum Through {
    /// By ssh.
    Ssh {
        /// A host, also with a user in front.
        destination: String,
        /// Options of ssh.
        options: Vec<String>,
    },
    /// By Slurm, which chooses the machine.
    Slurm {
        /// Options of srun.
        options: Vec<String>,
    },
    /// By a command of the shell, which takes the program's arguments.
    Shell(String),
}

impl Through {
    /// Name for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ssh { .. } => "ssh",
            Self::Slurm { .. } => "Slurm",
            Self::Shell(_) => "command",
        }
    }
}

impl Host {
    /// The command that trains on the host and prints the result.
    pub fn command(&self, args: &[String]) -> Command {
        let run = run_words(args);
        match &self.through {
            Through::Ssh { destination, options } => {
                let mut command = Command::new("ssh");
                // The shell of the host takes the words apart.
                let remote = quoted(std::iter::once(&self.program).chain(&run));
                command.args(SSH_OPTIONS).args(options).arg("--").args([destination, &remote]);
                command
            }
            Through::Slurm { options } => {
                let mut command = Command::new("srun");
                command.args(SLURM_OPTIONS).args(options).arg(&self.program).args(&run);
                command
            }
            Through::Shell(text) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("{text} \"$@\""), "sh"]).args(&run);
                command
            }
        }
    }
}

/// The arguments of the program on every host.
pub fn run_words(args: &[String]) -> Vec<String> {
    ["run", "--json"].map(str::to_owned).into_iter().chain(args.iter().cloned()).collect()
}

/// Words as a POSIX shell takes them apart again.
pub fn quoted<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let words = words.into_iter().map(|word| match word.is_empty() || !word.chars().all(is_plain) {
        true => format!("'{}'", word.replace('\'', r"'\''")),
        false => word.clone(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a letter means nothing to a shell.
fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_./=:,+@%".contains(letter)
}

/// The file of hosts as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FleetFile {
    program: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    host: Vec<HostEntry>,
}

/// A host as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    name: String,
    ssh: Option<String>,
    #[serde(default)]
    slurm: bool,
    command: Option<String>,
    #[serde(default)]
    options: Vec<String>,
    program: Option<String>,
}

/// Reads the hosts: of a file that ends in `.toml` its tables, of another file its lines `NAME: COMMAND`.
///
/// # Errors
/// [`Error::Data`] if the file cannot be read, [`Error::Usage`], naming the host, if what it says cannot work.
pub fn read(path: &Path) -> Result<Fleet> {
    let shown = input::shown(path);
    let text = input::text(path, LIMIT_BYTES).map_err(|why| Error::Data(format!("{shown} cannot be read ({why})")))?;
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let fleet = if is_toml { tables(&text) } else { lines(&text) };
    fleet.map_err(|problem| Error::Usage(format!("{shown}: {problem}")))
}

fn tables(text: &str) -> std::result::Result<Fleet, String> {
    let file: FleetFile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let program = file.program.unwrap_or_else(|| "gpubench".to_owned());
    let hosts = file.host.into_iter().map(|entry| host(entry, &program)).collect::<std::result::Result<_, _>>()?;
    Ok(Fleet { args: file.args, hosts: distinct(hosts)? })
}

/// A host as it is used.
fn host(entry: HostEntry, program: &str) -> std::result::Result<Host, String> {
    let wrong = |problem: &str| Err(format!("host {:?}: {problem}", entry.name));
    let through = match (entry.ssh, entry.slurm, entry.command) {
        (Some(destination), false, None)
            if destination.trim().is_empty() || destination.contains(char::is_whitespace) =>
        {
            return wrong("ssh is a host's name, also with a user: ssh = \"me@host\"; options go into options");
        }
        // It would be taken for an option, which can name a command that is run here.
        (Some(destination), false, None) if destination.starts_with('-') => {
            return wrong("ssh is a host's name and cannot begin with -");
        }
        (Some(destination), false, None) => Through::Ssh { destination, options: entry.options },
        (None, true, None) => Through::Slurm { options: entry.options },
        (None, false, Some(command)) if command.trim().is_empty() => return wrong("its command is empty"),
        (None, false, Some(_)) if !entry.options.is_empty() => {
            return wrong("options are those of ssh or Slurm: write them into the command");
        }
        (None, false, Some(command)) => Through::Shell(command),
        _ => return wrong("give one of ssh = \"me@host\", slurm = true and command = \"…\""),
    };
    Ok(Host { name: entry.name, through, program: entry.program.unwrap_or_else(|| program.to_owned()) })
}

fn lines(text: &str) -> std::result::Result<Fleet, String> {
    let mut hosts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':') {
            Some((name, command)) if !command.trim().is_empty() => hosts.push(Host {
                name: name.trim().to_owned(),
                through: Through::Shell(command.trim().to_owned()),
                program: String::new(),
            }),
            _ => return Err(format!("line {number} is no NAME: COMMAND, such as alpha: ssh me@alpha gpubench")),
        }
    }
    Ok(Fleet { args: Vec::new(), hosts: distinct(hosts)? })
}

/// The hosts, if their names can be those of files and differ.
fn distinct(hosts: Vec<Host>) -> std::result::Result<Vec<Host>, String> {
    if hosts.is_empty() || hosts.len() > MOST_HOSTS {
        return Err(format!("it names {} hosts; 1 to {MOST_HOSTS} can be a fleet", hosts.len()));
    }
    let mut names: Vec<String> = Vec::new();
    for host in &hosts {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let name = host.name.to_lowercase();
        if !(1..=MOST_LETTERS).contains(&name.len()) || !name.chars().all(letters) || name.starts_with(['.', '-']) {
            return Err(format!(
                "host {:?}: a name has up to {MOST_LETTERS} letters, digits, dots, - and _, and begins with a letter, \
                 a digit or _",
                host.name
            ));
        }
        if names.contains(&name) {
            return Err(format!("host {:?} is named twice", host.name));
        }
        names.push(name);
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_as_they_were() {
        let words: Vec<String> =
            ["gpubench", "--data", "/a b/c", "it's", "", "$(reboot)", "--batch=128"].map(str::to_owned).to_vec();
        let text = quoted(&words);
        assert!(text.starts_with("gpubench --data '/a b/c'") && text.ends_with("--batch=128"), "{text}");
        let told = Command::new("sh").args(["-c", &format!("printf '%s\\n' {text}")]).output().unwrap();
        assert_eq!(String::from_utf8(told.stdout).unwrap().lines().collect::<Vec<_>>(), words);
    }

    #[test]
    fn what_cannot_work_is_told_with_the_host() {
        let one = |host: &str| tables(&format!("[[host]]\n{host}")).map(drop).unwrap_err();
        assert!(one("name = 'a'").contains("host \"a\": give one of ssh"));
        assert!(one("name = 'a'\nssh = 'b'\nslurm = true").contains("give one of"));
        assert!(one("name = 'a'\nssh = '-oProxyCommand=reboot'").contains("cannot begin with -"));
        assert!(one("name = 'a'\nssh = 'me@b -p 3'").contains("options go into options"));
        assert!(one("name = '../a'\nslurm = true").contains("a name has up to 64"));
        assert!(one("name = 'a'\nslurm = true\nport = 3").contains("port"));
        assert!(tables("").unwrap_err().contains("0 hosts"));
        assert!(lines("a: x\nA: y").unwrap_err().contains("\"A\" is named twice"));
        assert!(lines("# hosts\nonly").unwrap_err().contains("line 2 is no NAME: COMMAND"));
    }
}
