//! A `flow` with an operation of somebody's own compiled in. Without the variable it is the test of that.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Command, ExitCode};

use flow_plugin::{Context, Kind, Plugin, Port, Result, Spec};

const AS_PROGRAM: &str = "TEST_OWN_FLOW";

const WORKFLOW: &str = "flow: 1
name: w
stages:
  shout:
    uses: mine/shout
    inputs: { text: { path: a.txt } }
    publish: { text: loud.txt }
";

fn shout((): (), context: &Context) -> Result<()> {
    let text = fs::read_to_string(&context.input("text")?.path)?;
    Ok(fs::write(context.output("text")?, text.to_uppercase())?)
}

fn main() -> ExitCode {
    if std::env::var_os(AS_PROGRAM).is_some() {
        let shout = Spec::new("shout", 1, "Makes a text loud.")
            .input(Port::new("text", Kind::File, "A text."))
            .output(Port::new("text", Kind::File, "It, in capitals."))
            .runs(shout);
        return flow_cli::main(vec![Plugin::new("mine", "0.1.0", "Mine.").with(shout)]);
    }
    a_program_with_operations_of_its_own_runs_them();
    println!("test a_program_with_operations_of_its_own_runs_them ... ok");
    ExitCode::SUCCESS
}

fn a_program_with_operations_of_its_own_runs_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.yaml"), WORKFLOW).unwrap();
    fs::write(folder.path().join("a.txt"), "quiet\n").unwrap();
    let flow = |args: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(args).current_dir(folder.path()).env(AS_PROGRAM, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    flow(&["run", "w.yaml"]);
    assert_eq!(fs::read_to_string(folder.path().join("loud.txt")).unwrap(), "QUIET\n");
    let again = flow(&["run", "w.yaml", "--format", "json"]);
    assert!(again.lines().last().unwrap().contains("\"executed\":0"), "{again}");
    let listed = flow(&["plugins"]);
    assert!(listed.contains("mine/shout") && listed.contains("exec/run"), "{listed}");
}
