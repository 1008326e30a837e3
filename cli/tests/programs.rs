//! Programs as stages: what they are told, what is taken over, and how they end.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Project, text};

fn error(run: &common::Run, node: &str) -> String {
    run.node(node)["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_program_reads_inputs_and_writes_outputs() {
    let project = Project::new(
        "
  clean:
    uses: exec/run
    inputs: { raw: { path: data.txt } }
    with: { run: \"grep -v '^#' ${{ inputs.raw }} > ${{ outputs.clean }}; pwd\" }
    outputs: { clean: file }
  made: { uses: demo/text, with: { text: \"made\\n\" } }
  join:
    uses: exec/run
    inputs: { left: clean.clean, right: made.text }
    with: { run: \"cat ${{ inputs.left }} ${{ inputs.right }} > ${{ outputs.result }}\" }
    outputs: { result: file }
    publish: { result: out/result.txt }
  lines: { uses: demo/grep, inputs: { text: join.result }, with: { contains: o } }
",
    );
    project.write("data.txt", "# comment\none\ntwo\n");
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [4, 0, 0, 0]), "{:?}", run.events);
    assert_eq!(fs::read_to_string(project.path("out/result.txt")).unwrap(), "one\ntwo\nmade\n");
    assert_eq!(project.output("lines", "text"), "one\ntwo\n");
    let folder = project.path("").canonicalize().unwrap();
    assert_eq!(run.log("clean"), [folder.to_str().unwrap()], "it runs in the folder of the file");
    assert_eq!(project.run(&[]).counts(), [0, 4, 0, 0]);
    project.write("data.txt", "# another comment\none\ntwo\n");
    assert_eq!(project.run(&[]).executed(), ["clean"], "what comes after is the same");
}

/// What would do harm as text of a script.
const HOSTILE: [&str; 9] = [
    "a b",
    "$(touch harm) `touch harm`",
    "'; touch harm; '",
    "\"; touch harm; \"",
    "* ? [a-z]",
    "-n",
    "a\\nb\\",
    "${HOME} $1 $@ !!",
    " # ~ & | < > () {} é\u{1F600}",
];

#[test]
fn a_value_is_one_word_whatever_is_in_it() {
    for value in HOSTILE {
        let quoted = serde_json::to_string(value).unwrap();
        let project = Project::new(&format!(
            "
  all:
    uses: exec/run
    matrix: {{ value: [{quoted}] }}
    with:
      run: |
        show() {{ for word in \"$@\"; do printf '<%s>' \"$word\"; done; }}
        x=${{{{ matrix.value }}}}
        {{ show a ${{{{ matrix.value }}}} \"b ${{{{ matrix.value }}}} c\" \"$(show ${{{{ matrix.value }}}})\" \"$x\"
          cat <<< ${{{{ matrix.value }}}}; }} > ${{{{ outputs.out }}}}
    outputs: {{ out: file }}
  list:
    uses: exec/run
    matrix: {{ value: [{quoted}] }}
    with: {{ run: [bash, -c, 'printf \"<%s>\" \"$@\" > \"$0\"', \"${{{{ outputs.out }}}}\", \"${{{{ matrix.value }}}}\", \"b ${{{{ matrix.value }}}} c\"] }}
    outputs: {{ out: file }}
"
        ));
        let run = project.run(&[]);
        assert_eq!(run.code, Some(0), "{value}: {} {:?}", run.stderr, run.events);
        let store = project.store();
        let nodes = store.nodes(&store.runs().unwrap()[0].start.id).unwrap();
        let content = |stage: &str| {
            let node = nodes.iter().find(|node| node.stage == stage).unwrap();
            fs::read_to_string(store.artifact_path(&node.outputs[0].digest).unwrap()).unwrap()
        };
        assert_eq!(content("all"), format!("<a><{value}><b {value} c><<{value}>><{value}>{value}\n"));
        assert_eq!(content("list"), format!("<{value}><b {value} c>"));
        assert!(!project.path("harm").exists(), "{value}");
    }
}

#[test]
fn a_collection_is_one_word_each() {
    let project = Project::new(
        "
  part: { uses: demo/text, matrix: { n: [1, 2, 3] }, with: { text: \"part ${{ matrix.n }}\\n\" } }
  none: { uses: demo/text, matrix: { n: [1] }, with: { text: x } }
  all:
    uses: exec/run
    inputs: { parts: [part.text] }
    with:
      run: |
        cat ${{ inputs.parts }} > ${{ outputs.whole }}
        set -- ${{ inputs.parts }}
        echo $# $(wc -l < ${{ inputs.parts.list }}) >> ${{ outputs.whole }}
        xargs cat < ${{ inputs.parts.list }} >> ${{ outputs.whole }}
        printf '%s,' ${{ [1, 'a b'] }} >> ${{ outputs.whole }}
    outputs: { whole: file }
",
    );
    assert_eq!(project.run(&[]).code, Some(0));
    let parts = "part 1\npart 2\npart 3\n";
    assert_eq!(project.output("all", "whole"), format!("{parts}3 3\n{parts}1,a b,"));
}

#[test]
fn files_that_the_command_names_are_inputs() {
    let project = Project::new(
        "
  one:
    uses: exec/run
    with: { run: \"sh tools/make.sh note.txt > ${{ outputs.out }}\", untracked: [note.txt] }
    outputs: { out: file }
",
    );
    fs::create_dir(project.path("tools")).unwrap();
    fs::create_dir(project.path(".git")).unwrap();
    project.write("tools/make.sh", "echo made; cat \"$1\"");
    project.write("note.txt", "1");
    assert_eq!(project.run(&[]).executed(), ["one"]);
    let plan = text(&project.flow(&["plan", "w.yaml"]).stdout);
    assert!(plan.contains("[reads tools/make.sh]"), "{plan}");
    project.write("note.txt", "2");
    assert_eq!(project.run(&[]).executed(), [""; 0], "it is not tracked");
    project.write("tools/make.sh", "echo remade");
    let run = project.run(&[]);
    assert_eq!(
        (run.executed(), run.node("one")["reason"].as_str()),
        (vec!["one"], Some("tools/make.sh changed"))
    );
}

#[test]
fn a_program_counts_by_its_content_if_it_is_listed() {
    let project = Project::new(
        "
  one: { uses: exec/run, with: { run: [./tool], programs: [./tool], untracked: [./tool] } }
",
    );
    let tool = |text: &str| {
        project.write("tool", text);
        fs::set_permissions(project.path("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    tool("#!/bin/sh\necho 1");
    assert_eq!(project.run(&[]).log("one"), ["1"]);
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    tool("#!/bin/sh\necho 2");
    assert_eq!(project.run(&[]).log("one"), ["2"]);
}

#[test]
fn only_listed_variables_count_and_are_passed() {
    let project = Project::new(
        "
  one:
    uses: exec/run
    with: { run: \"env | cut -d= -f1 | sort\", env: [SEEN, UNSET_OF_COURSE] }
    resources: { cpus: 2 }
  two: { uses: exec/run, with: { run: 'echo $SEEN $SHELL $OMP_NUM_THREADS', env: [SEEN] } }
",
    );
    let run = |seen: &str| {
        // Safe: set for the one process.
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_flow"))
            .current_dir(project.path(""))
            .args(["run", "w.yaml", "--format", "json", "--cores", "2"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", "/home/x")
            .envs([("SEEN", seen), ("HIDDEN", seen)])
            .output()
            .unwrap();
        common::Run::of(output)
    };
    let first = run("1");
    let names = first.log("one").join(" ");
    assert_eq!(
        names,
        "HOME MKL_NUM_THREADS NUMEXPR_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS PATH PWD \
         RAYON_NUM_THREADS SEEN SHELL SHLVL _"
    );
    let two = first.log("two").join(" ");
    assert!(two.starts_with("1 /") && two.ends_with("/bash 1"), "{two}");
    let second = run("2");
    assert_eq!(second.executed(), ["one", "two"]);
    assert_eq!(second.node("two")["reason"], "env.SEEN \"1\" → \"2\"");
    assert_eq!(run("2").executed(), [""; 0]);
}

#[test]
fn the_reason_says_what_of_a_command_changed() {
    let project =
        Project::new("  one: { uses: exec/run, with: { run: 'echo ${{ 1 + 1 }} ${{ resources.cpus }}' } }\n");
    project.run(&[]);
    project.stages("  one: { uses: exec/run, resources: { cpus: 2 }, with: { run: 'echo ${{ 2 }} ${{ resources.cpus }}' } }\n");
    assert_eq!(project.run(&[]).executed(), [""; 0], "the same value, and resources are in no key");
    project.stages("  one: { uses: exec/run, with: { run: 'echo ${{ 3 }} ${{ resources.cpus }}' } }\n");
    assert_eq!(project.run(&[]).node("one")["reason"], "run: a value 2 → 3");
    project.stages("  one: { uses: exec/run, with: { run: 'echo  ${{ 3 }} ${{ resources.cpus }}' } }\n");
    assert_eq!(project.run(&[]).node("one")["reason"], "run: the command's text");
}

#[test]
fn whatever_is_wrong_with_a_program_is_said() {
    for (run, outputs, message) in [
        ("exit 3", "", "the command ended with exit status 3"),
        ("false | true", "", "the command ended with exit status 1"),
        ("echo $nothing", "", "the command ended with exit status 1"),
        ("kill -TERM $$", "", "the command was ended by signal 15 (SIGTERM)"),
        ("no-such-program-x", "", "the command ended with exit status 127"),
        (
            "true || echo > ${{ outputs.x }}",
            "x: file",
            "the command succeeded but did not write its output `x`",
        ),
        ("mkdir ${{ outputs.x }}", "x: file", "its output `x` is not a good file"),
        ("echo no > ${{ outputs.x }}", "x: metrics", "its output `x` is not a good metrics"),
        ("echo '[1]' > ${{ outputs.x }}", "x: metrics", "its output `x` is not a good metrics"),
        ("echo a,b > ${{ outputs.x }}", "x: table", "its output `x` is not a good table"),
        ("mkdir ${{ outputs.x }}", "x: dataset", "its output `x` is not a good dataset"),
    ] {
        let project = Project::new(&format!(
            "  bad: {{ uses: exec/run, with: {{ run: \"{run}\" }}, outputs: {{ {outputs} }} }}\n"
        ));
        let ended = project.run(&[]);
        assert_eq!(ended.code, Some(1), "{run}");
        assert!(error(&ended, "bad").starts_with(message), "{run}: {}", error(&ended, "bad"));
        assert_eq!(project.run(&[]).counts(), [0, 0, 1, 0], "nothing was kept");
    }
    let project = Project::new("  bad: { uses: exec/run, with: { run: [no-such-program-x, 1] } }\n");
    let ended = project.run(&[]);
    assert_eq!(error(&ended, "bad"), "there is no program `no-such-program-x`");
    assert!(ended.node("bad")["error"]["hint"].as_str().unwrap().contains("PATH"));
}

#[test]
fn good_outputs_of_every_kind_are_taken_over() {
    let project = Project::new(
        "
  wave: { uses: demo/wave, with: { cells: 8 } }
  kinds:
    uses: exec/run
    inputs: { wave: wave.wave }
    with:
      run: |
        echo '{ \"n\": 1 }' > ${{ outputs.m }}
        mkdir -p ${{ outputs.f }}/a
        echo x > ${{ outputs.f }}/a/b
        cp -r ${{ inputs.wave }} ${{ outputs.d }}
    outputs: { m: metrics, f: folder, d: dataset }
  mean: { uses: demo/mean, inputs: { data: [kinds.d] } }
",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}", run.events);
    assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0]);
}

#[test]
fn what_it_writes_is_its_log() {
    let project = Project::new(
        "
  talk: { uses: exec/run, with: { run: \"echo one; echo two >&2; printf three\" } }
  next: { uses: exec/run, needs: talk, with: { run: \"true\" } }
  fail: { uses: exec/run, needs: next, with: { run: \"seq 1 30; exit 4\" } }
",
    );
    let run = project.run(&["--cores", "1"]);
    assert_eq!(run.log("talk"), ["one", "two", "three"]);
    assert_eq!(run.log("next"), [""; 0]);
    assert_eq!(run.log("fail").len(), 30);
    let tail = run.node("fail")["error"]["stderr"].as_array().unwrap();
    assert_eq!((tail.len(), tail[19].as_str()), (20, Some("30")));
    assert_eq!(text(&project.flow(&["log", "talk"]).stdout), "one\ntwo\nthree\n");
    assert!(
        text(&project.flow(&["log", "w", "fail"]).stdout)
            .ends_with("30\nfailed the command ended with exit status 4\n")
    );
    project.run(&[]);
    assert_eq!(
        text(&project.flow(&["log", "talk"]).stdout),
        "one\ntwo\nthree\n",
        "of the run that computed it"
    );
    assert_eq!(project.flow(&["log", "nobody"]).status.code(), Some(2));
}

#[test]
fn programs_are_documented() {
    let shown = text(&project_less(&["plugins", "exec/run"]));
    for part in ["bash -euo pipefail", "${{ inputs.NAME.list }}", "untracked", "PATH, HOME"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

fn project_less(args: &[&str]) -> Vec<u8> {
    std::process::Command::new(env!("CARGO_BIN_EXE_flow")).args(args).output().unwrap().stdout
}
