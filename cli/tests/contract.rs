//! What programs rely on: JSON, exit statuses, the place of the store, and messages about it.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use common::{Project, text};

const TWO: &str = "
  a: { uses: demo/text, with: { text: x } }
  b: { uses: demo/grep, inputs: { text: a.text }, with: { contains: x } }
";

#[test]
fn json_lines_are_as_documented() {
    let project = Project::new(TWO);
    let run = project.run(&[]);
    let last = run.last().as_object().unwrap();
    let names: Vec<_> = last.keys().map(String::as_str).collect();
    assert_eq!(names, ["event", "status", "executed", "cached", "failed", "skipped", "wall_s"]);
    assert_eq!(last["status"], "succeeded");
    assert!(last["wall_s"].as_f64().unwrap() > 0.0);
    for event in run.finished() {
        assert_eq!((event["status"].as_str(), event["cached"].as_bool()), (Some("succeeded"), Some(false)));
        assert_eq!(event["key"].as_str().unwrap().len(), 64);
    }
    assert_eq!(run.finished().count(), 2);
    assert_eq!(run.events[0]["event"], "run_started");
}

#[test]
fn lines_are_short_and_progress_is_not_too_frequent() {
    let project = Project::new("  n: { uses: demo/count, with: { to: 2000, step_ms: 0 } }\n");
    let run = project.run(&[]);
    let progress = run.events.iter().filter(|event| event["event"] == "progress").count();
    // Ten a second, and the first and the last.
    let most = 2.0 + 10.0 * run.last()["wall_s"].as_f64().unwrap();
    assert!(progress as f64 <= most.ceil(), "{progress} events, at most {most}");
    assert!(run.events.iter().all(|event| event.to_string().len() <= 1 << 20));
}

#[test]
fn the_plan_lists_every_node() {
    let project = Project::new(TWO);
    let nodes: Vec<_> = project.plan(&[]).into_iter().map(|(name, state, ..)| (name, state)).collect();
    assert_eq!(nodes, [("a".into(), "run".into()), ("b".into(), "run".into())]);
    project.run(&[]);
    assert!(project.plan(&[]).iter().all(|(_, state, certain, _)| state == "cached" && *certain));
    let human = text(&project.flow(&["plan", "w.yaml"]).stdout);
    assert!(human.contains("w: 0 to run, 2 cached"), "{human}");
}

#[test]
fn the_store_is_where_it_is_said_to_be() {
    let project = Project::new(TWO);
    project.run(&["--store", "elsewhere"]);
    assert!(project.path("elsewhere/index.sqlite").exists() && !project.path(".flow").exists());
    let status = Command::new(env!("CARGO_BIN_EXE_flow"))
        .args(["run", "w.yaml"])
        .current_dir(project.path(""))
        .env("FLOW_STORE", project.path("third"))
        .output()
        .unwrap()
        .status;
    assert!(status.success() && project.path("third/index.sqlite").exists());
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let project = Project::new(TWO);
    project.run(&[]);
    let index = project.path(".flow/index.sqlite");
    let mut bytes = fs::read(&index).unwrap();
    // The file format of SQLite: the user version is the big-endian integer at offset 60.
    bytes[60..64].copy_from_slice(&99u32.to_be_bytes());
    fs::write(&index, &bytes).unwrap();
    for command in ["run", "plan"] {
        let refused = project.refused(&[command, "w.yaml"]);
        let folder = project.path("").canonicalize().unwrap();
        let message = refused.replace(&*folder.to_string_lossy(), "ROOT");
        let expected = format!(
            "error: the store ROOT/.flow was written by a newer version of flow (its format is 99, this version \
             reads up to {})\nhelp: update flow, or use another store with --store DIR\n",
            flow_store::FORMAT
        );
        assert_eq!(message, expected);
    }
    assert_eq!(fs::read(&index).unwrap(), bytes, "it was left alone");
}

#[test]
fn a_store_that_cannot_be_made_is_one_clear_message() {
    let project = Project::new(TWO);
    project.write("file", "");
    let message = project.refused(&["run", "w.yaml", "--store", "file/store"]);
    assert!(message.starts_with("error: cannot create the store folder /"), "{message}");
    assert!(message.contains("/file/store: "), "{message}");
    assert!(message.contains("--store DIR"), "{message}");
}

#[test]
fn an_index_that_is_no_index_is_one_clear_message() {
    let project = Project::new(TWO);
    fs::create_dir(project.path(".flow")).unwrap();
    project.write(".flow/index.sqlite", &"this is not a database ".repeat(100));
    let message = project.refused(&["run", "w.yaml"]);
    assert!(message.starts_with("error: the store's index failed"), "{message}");
}

/// On a file system of one megabyte, where the system lets an ordinary user mount one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_clear_message_and_leaves_the_store_whole() {
    // Each part puts out 30 kB, all different.
    let project = Project::new(&format!(
        "
  text:  {{ uses: demo/text, with: {{ text: {} }} }}
  twice:
    uses: demo/join
    matrix: {{ n: [{}] }}
    inputs: {{ parts: [text.text, text.text] }}
    with: {{ separator: '<${{{{ matrix.n }}}}>' }}
",
        "x".repeat(15_000),
        (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
    ));
    fs::create_dir(project.path("small")).unwrap();
    let script = "mount -t tmpfs -o size=1m none small || exit 77
        $FLOW run w.yaml --store small/.flow --cores 1 --format json 2>/dev/null | tail -n 1
        umount small && mount -t tmpfs -o size=1m none small || exit 77
        $FLOW run w.yaml --store small/.flow --cores 1 2>&1; echo \"status $?\"
        $FLOW runs --store small/.flow 2>&1; echo \"status $?\"
        mount -o remount,size=20m small || exit 77
        $FLOW run w.yaml --store small/.flow --cores 1 2>&1; echo \"status $?\"";
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .current_dir(project.path(""))
        .env("FLOW", env!("CARGO_BIN_EXE_flow"))
        .env("RUST_BACKTRACE", "0")
        .output();
    let output = match output {
        Ok(output) if output.status.success() => text(&output.stdout),
        _ => {
            eprintln!("skipped: this system lets no ordinary user mount a file system");
            return;
        }
    };
    assert!(!output.contains("panicked"), "{output}");
    let parts: Vec<&str> = output.split_inclusive("status ").collect();
    let (full, runs, again) = (parts[0], parts[1], parts[2]);
    assert!(
        output.starts_with(r#"{"event":"run_finished","status":"failed","#),
        "programs are told: {output}"
    );
    let hint = "help: free some space and run again: everything that was finished is kept";
    assert!(runs.starts_with("1\n") && full.contains(hint), "{output}");
    assert!(
        full.contains("the disk that holds the store is full") || full.contains("No space left on device"),
        "{output}"
    );
    assert!(again.starts_with("0\n"), "the runs can be listed: {output}");
    // With more space: what was finished does not run again, and the rest does.
    assert!(output.ends_with("status 0\n"), "{output}");
    let done = full.matches("   done  ").count();
    assert!(done > 0 && again.matches("   done  ").count() == 61 - done, "{output}");
}

#[test]
fn help_teaches_by_example() {
    let project = Project::new(TWO);
    let all = text(&project.flow(&["--help"]).stdout);
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands.map_while(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 10, "{all}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = text(&project.flow(&[command, "--help"]).stdout);
        assert!(help.contains("Examples:"), "{command}: {help}");
    }
    assert!(all.contains("Examples:"), "{all}");
}
