//! PostgreSQL's own load generator.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::os;

/// Makes the TPC-B tables at the given scale.
pub fn init(cluster: &Cluster, database: &str, scale: u32) {
    let scale = scale.to_string();
    os::must_run(cluster.client_program("pgbench", database).args([
        "--initialize",
        "--quiet",
        "--scale",
        &scale,
    ]));
}

/// For how long one runs that is to be stopped, where nobody does.
const LONGEST: Duration = Duration::from_secs(1_800);

/// A run of pgbench to be.
pub struct Pgbench<'a> {
    cluster: &'a Cluster,
    database: &'a str,
    args: Vec<String>,
    scripts: Vec<tempfile::NamedTempFile>,
}

/// A pgbench that is running. It ends at its time limit, or with the server.
pub struct Run {
    child: Child,
    _scripts: Vec<tempfile::NamedTempFile>,
}

/// What pgbench said at its end.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub transactions: i64,
    pub failed: i64,
    pub succeeded: bool,
    pub output: String,
}

impl<'a> Pgbench<'a> {
    /// Runs its built-in TPC-B for so many seconds.
    pub fn new(cluster: &'a Cluster, database: &'a str, clients: usize, seconds: u64) -> Self {
        let args = [
            "--no-vacuum",
            "--jobs=2",
            "--client",
            &clients.to_string(),
            "--time",
            &seconds.to_string(),
        ];
        Self {
            cluster,
            database,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            scripts: Vec::new(),
        }
    }

    /// The same, until [`Run::stop`] is called: a test that waits for something cannot know how long that takes.
    pub fn until_stopped(cluster: &'a Cluster, database: &'a str, clients: usize) -> Self {
        Self::new(cluster, database, clients, LONGEST.as_secs())
    }

    /// Adds an argument, such as `--protocol=prepared`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Runs this script instead of TPC-B; one of them, where there are several.
    pub fn script(mut self, text: &str) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        std::fs::write(file.path(), text).expect("a temporary file can be written");
        self.args.push(format!("--file={}", file.path().display()));
        self.scripts.push(file);
        self
    }

    pub fn start(self) -> Run {
        let mut command = self.cluster.client_program("pgbench", self.database);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Run {
            child: command.spawn().expect("pgbench can be run"),
            _scripts: self.scripts,
        }
    }
}

impl Run {
    fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Ends it, each client at the end of its transaction, as when its time is over. It must still be at work: a test
    /// that has outlasted its load has shown nothing.
    ///
    /// # Panics
    /// When it has ended by itself; the message holds what it printed.
    pub fn stop(mut self) -> Outcome {
        if !self.is_running() {
            panic!("pgbench ended by itself:\n{}", self.finish().output);
        }
        // What its own clock sends it, too.
        os::sigalrm(self.child.id());
        self.finish()
    }

    /// Waits for its end.
    pub fn finish(self) -> Outcome {
        let output = self.child.wait_with_output().expect("pgbench ends");
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Outcome {
            transactions: number_after(&text, "number of transactions actually processed: "),
            failed: number_after(&text, "number of failed transactions: "),
            succeeded: output.status.success(),
            output: text,
        }
    }
}

impl Outcome {
    /// Fails the test where any of its clients met an error.
    ///
    /// # Panics
    /// With what pgbench printed.
    pub fn assert_no_errors(&self) {
        let clean = self.succeeded
            && self.failed == 0
            && !self.output.contains("ERROR")
            && !self.output.contains("aborted");
        assert!(clean, "pgbench met errors:\n{}", self.output);
    }
}

fn number_after(text: &str, label: &str) -> i64 {
    let digits = text.split_once(label).map(|(_, rest)| {
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    });
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_read_up_to_the_slash() {
        let text = "number of transactions actually processed: 1234/2000\nnumber of failed transactions: 0 (0.000%)";
        assert_eq!(super::number_after(text, "actually processed: "), 1234);
        assert_eq!(super::number_after(text, "failed transactions: "), 0);
    }
}
