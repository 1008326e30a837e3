//! A folder with a workflow in it, and the real binary to run there.

#![allow(clippy::unwrap_used, dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A folder with a workflow `w.yaml` in it.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
}

impl Project {
    /// A project whose workflow has these stages (YAML, indented by two spaces).
    pub(crate) fn new(stages: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), env: Vec::new() };
        project.stages(stages);
        project
    }

    /// Sets a variable for every `flow` that this starts.
    pub(crate) fn with_env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Replaces the stages.
    pub(crate) fn stages(&self, stages: &str) {
        self.write("w.yaml", &format!("flow: 1\nname: w\nstages:\n{stages}"));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn store(&self) -> flow_store::Store {
        flow_store::Store::open(&self.path(".flow")).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command
            .current_dir(self.folder.path())
            .args(args)
            .env_remove("FLOW_STORE")
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `flow` to its end.
    pub(crate) fn flow(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What is said of a request that is refused.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.flow(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// Starts `flow`; what it prints is not read.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts `flow`; what it prints for people can be read.
    pub(crate) fn piped(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// `flow run w.yaml --format json` with more arguments.
    pub(crate) fn run(&self, more: &[&str]) -> Run {
        Run::of(self.flow(&[&["run", "w.yaml", "--format", "json"], more].concat()))
    }

    /// The same, started and not waited for.
    pub(crate) fn start(&self, more: &[&str]) -> Started {
        self.begin(&[&["run", "w.yaml", "--format", "json"], more].concat())
    }

    /// Any command that prints events, started and not waited for.
    pub(crate) fn begin(&self, args: &[&str]) -> Started {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Started { child, lines }
    }

    /// What `flow plan` says: node, state, certain, reason.
    pub(crate) fn plan(&self, more: &[&str]) -> Vec<(String, String, bool, String)> {
        let output = self.flow(&[&["plan", "w.yaml", "--format", "json"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let node = |line: &str| {
            let node: Value = serde_json::from_str(line).unwrap();
            (
                text(&node["node"]),
                text(&node["state"]),
                node["certain"].as_bool().unwrap(),
                text(&node["reason"]),
            )
        };
        String::from_utf8(output.stdout).unwrap().lines().map(node).collect()
    }

    /// The content of a node's output in the latest run.
    pub(crate) fn output(&self, node: &str, port: &str) -> String {
        let store = self.store();
        let run = &store.runs().unwrap()[0].start.id;
        let nodes = store.nodes(run).unwrap();
        let node = nodes.iter().find(|n| n.name == node).unwrap();
        let digest = node.outputs.iter().find(|o| o.port == port).unwrap().digest;
        fs::read_to_string(store.artifact_path(&digest).unwrap()).unwrap()
    }
}

/// What a run printed.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

/// Says that something was not tested, and why: also where what successful tests print is not shown.
pub(crate) fn not_tested(why: impl std::fmt::Display) {
    // There is nobody to tell that nobody can be told.
    let _ = writeln!(std::io::stderr(), "not tested: {}", why.to_string().trim_end());
}

/// Whether there is a Python to test with; a test that needs one ends without it, and says so.
pub(crate) fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|found| found.status.success());
    if !found {
        not_tested("there is no python3");
    }
    found
}

/// Makes an empty virtual environment. Where that cannot be the test ends, and says so.
pub(crate) fn virtual_environment(at: &Path) -> bool {
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(at).output();
    let made = made.is_ok_and(|output| output.status.success());
    if !made {
        not_tested("python3 with the venv module is not installed");
    }
    made
}

/// Runs a program of `tests/python` with the packages that it needs. Without them the test ends, and says so.
pub(crate) fn with_packages(program: &str, args: &[&std::ffi::OsStr]) -> Option<Output> {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/run");
    let output = Command::new(runner).arg(program).args(args).output().unwrap();
    if output.status.code() == Some(77) {
        not_tested(text(&output.stderr));
        return None;
    }
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    Some(output)
}

/// A `PATH` on which `python3` has the packages of `tests/python/requirements.txt`.
pub(crate) fn path_with_packages() -> Option<String> {
    let found = with_packages("interpreter.py", &[])?;
    Some(format!("{}:{}", text(&found.stdout).trim_end(), std::env::var("PATH").unwrap_or_default()))
}

impl Run {
    /// The messages in a node's log.
    pub(crate) fn log(&self, node: &str) -> Vec<String> {
        let of_node = self.events.iter().filter(|event| event["event"] == "log" && event["node"] == node);
        of_node.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn of(output: Output) -> Self {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        Self {
            code: output.status.code(),
            events: text(&output.stdout).lines().map(parse).collect(),
            stderr: text(&output.stderr),
        }
    }

    /// Executed, cached, failed, skipped.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let last = self.last();
        ["executed", "cached", "failed", "skipped"].map(|name| last[name].as_u64().unwrap())
    }

    /// The last event, which must be the end of the run.
    pub(crate) fn last(&self) -> &Value {
        let last = self.events.last().unwrap_or_else(|| panic!("no events; {}", self.stderr));
        assert_eq!(last["event"], "run_finished", "{}", self.stderr);
        last
    }

    /// The names of the nodes that ran and succeeded, sorted.
    pub(crate) fn executed(&self) -> Vec<&str> {
        let ran = |event: &&Value| event["status"] == "succeeded" && event["cached"] == false;
        let mut names: Vec<_> = self.finished().filter(ran).map(|e| e["node"].as_str().unwrap()).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn finished(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event["event"] == "node_finished")
    }

    pub(crate) fn node(&self, name: &str) -> &Value {
        self.finished().find(|event| event["node"] == name).unwrap_or_else(|| panic!("{name} did not finish"))
    }
}

/// A run that goes on.
pub(crate) struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Started {
    /// Reads events up to one for which this is true.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        for line in self.lines.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if wanted(&event) {
                return event;
            }
        }
        panic!("the run ended before the event came");
    }

    /// Reads events up to the progress of this node reaching `done`.
    pub(crate) fn until_progress(&mut self, node: &str, done: u64) {
        self.until(|e| e["event"] == "progress" && e["node"] == node && e["done"].as_u64() >= Some(done));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end. The events are those not read yet.
    pub(crate) fn wait(mut self) -> Run {
        let mut events = Vec::new();
        for line in self.lines.by_ref() {
            // Cut off in the middle of a line where the process was killed.
            events.extend(serde_json::from_str::<Value>(&line.unwrap()));
        }
        let output = self.child.wait_with_output().unwrap();
        Run { code: output.status.code(), events, stderr: text(&output.stderr) }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The processes whose parent is this one.
#[cfg(target_os = "linux")]
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let parent_of = |id: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// Whether a process is there and has not ended.
#[cfg(target_os = "linux")]
pub(crate) fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The number of entries in a folder; 0 where there is none.
pub(crate) fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
