//! What fails, what goes on, and what is said.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, text};

#[test]
fn the_report_shows_the_end_of_the_log_of_what_failed() {
    let project = Project::new(
        "  lost: { uses: exec/run, with: { run: 'for n in $(seq 60); do echo \"line <$n>\"; done; exit 3' } }\n",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1));
    let id = run.events[0]["run"].as_str().unwrap();
    let html = std::fs::read_to_string(project.path(&format!(".flow/runs/{id}/report.html"))).unwrap();
    let log = html.split("the end of its log</summary>").nth(1).unwrap().split("</details>").next().unwrap();
    assert!(log.contains("line &lt;60&gt;") && !log.contains("line &lt;1&gt;"), "{log}");
}

#[test]
fn what_does_not_depend_on_a_failed_node_goes_on() {
    let project = Project::new(
        "
  bad:   { uses: demo/fail }
  after: { uses: demo/grep, inputs: { text: bad.text }, with: { contains: x } }
  last:  { uses: demo/join, inputs: { parts: [after.text, good.text] } }
  good:  { uses: demo/text, with: { text: x } }
",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(1), [1, 0, 1, 2]));
    assert_eq!(run.last()["status"], "failed");
    assert_eq!(run.node("bad")["error"]["message"], "this operation always fails");
    assert_eq!(run.node("bad")["error"]["hint"], "use another operation");
    assert_eq!(run.node("last")["status"], "skipped");
    assert_eq!(project.plan(&[])[0].3, "it failed the last time");
    assert_eq!(project.run(&[]).counts(), [0, 1, 1, 2]);
}

#[test]
fn the_end_of_a_run_names_what_failed_again() {
    let project = Project::new(
        "
  bad:   { uses: demo/fail }
  other: { uses: demo/fail, needs: good }
  good:  { uses: demo/text, with: { text: x } }
",
    );
    let said = text(&project.flow(&["run", "w.yaml"]).stdout);
    let end = said.split("\n\n").nth(1).unwrap();
    let lines: Vec<&str> = end.lines().collect();
    assert_eq!(
        lines[..2],
        [" failed  bad  this operation always fails", " failed  other  this operation always fails"]
    );
    assert!(lines[2].starts_with("failed: 1 executed, 0 cached, 2 failed in"), "{end}");
    // Where it has just been said, it is not said again.
    let said = text(&project.flow(&["run", "w.yaml", "--until", "bad"]).stdout);
    assert_eq!(said.matches("bad").count(), 2, "{said}");
}

#[test]
fn however_a_node_fails_only_that_node_fails() {
    for (how, message) in [
        ("error", "this operation always fails"),
        ("panic", "the operation panicked: asked to panic"),
        ("exit", "its worker process ended: exit status 3"),
        ("forget", "its output `text` was not written although the operation reported success"),
    ] {
        let project = Project::new(&format!(
            "
  bad:  {{ uses: demo/fail, with: {{ how: {how} }} }}
  good: {{ uses: demo/text, with: {{ text: x }} }}
"
        ));
        let run = project.run(&["--cores", "1"]);
        assert_eq!((run.code, run.counts()), (Some(1), [1, 0, 1, 0]), "{how}");
        assert_eq!(run.node("bad")["error"]["message"], message);
    }
}

#[test]
fn the_end_of_standard_error_is_shown() {
    let project = Project::new("  bad: { uses: demo/fail, with: { how: panic } }\n");
    let run = project.run(&[]);
    let stderr = run.node("bad")["error"]["stderr"].to_string();
    assert!(stderr.contains("asked to panic"), "{stderr}");
    let store = project.store();
    let id = &store.runs().unwrap()[0].start.id;
    assert!(store.logs(id, "bad").unwrap().iter().any(|log| log.message.contains("asked to panic")));
}

#[test]
fn a_failed_node_is_tried_again_as_often_as_it_says() {
    let project = Project::new("  bad: { uses: demo/fail, retry: 1, with: { how: exit } }\n");
    let run = project.run(&[]);
    let starts = run.events.iter().filter(|event| event["event"] == "node_started").count();
    assert_eq!((run.code, starts), (Some(1), 2));
    let store = project.store();
    let id = &store.runs().unwrap()[0].start.id;
    assert_eq!(store.nodes(id).unwrap()[0].attempts, 2);
}

#[test]
fn a_node_that_takes_too_long_fails_and_goes_on_from_its_checkpoint() {
    let project =
        Project::new("  slow: { uses: demo/count, timeout: 0.6 s, with: { to: 60, step_ms: 15 } }\n");
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.node("slow")["error"]["message"], "it took longer than its timeout of 0.6 s");
    // One more attempt does the rest; on a busy machine several do.
    let again = (0..20).map(|_| project.run(&[])).find(|run| run.code == Some(0)).unwrap();
    let went_on =
        |e: &&serde_json::Value| e["message"].as_str().is_some_and(|m| m.starts_with("going on from"));
    assert!(again.events.iter().any(|event| went_on(&event)));
    assert_eq!(common::entries(&project.path(".flow/checkpoints")), 0, "they are gone after success");
}

#[test]
fn an_input_that_changes_while_it_is_read_spoils_the_node() {
    let project = Project::new(
        "  slow: { uses: demo/count, inputs: { after: { path: data.txt } }, with: { to: 30, step_ms: 10 } }\n",
    );
    project.write("data.txt", "before");
    let mut run = project.start(&[]);
    run.until_progress("slow", 1);
    project.write("data.txt", "after!");
    let run = run.wait();
    assert_eq!(run.code, Some(1));
    let message = run.node("slow")["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("input changed while it ran: "), "{message}");
    assert_eq!(project.run(&[]).counts(), [1, 0, 0, 0], "nothing was cached");
}
