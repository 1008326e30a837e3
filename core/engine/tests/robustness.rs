//! No text makes loading panic, and every problem can be shown.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use proptest::prelude::*;

const STUDY: &str = "flow: 1
name: study
params: { reservoirs: 300, half: '${{ params.reservoirs // 2 }}', é: [1, 2] }
profiles: { paper: { params: { reservoirs: 5500 } } }
stages:
  geology: &g
    uses: lab/geology
    with: { samples: \"${{ params.reservoirs }}\", seed: 7, radius: 1.5 km }
  simulate:
    uses: lab/simulate
    inputs: { reservoirs: geology.reservoirs }
    timeout: 30 min
    resources: { cpus: all, memory: 4 GiB }
  train:
    uses: lab/train
    matrix: { kind: [fno, ufno], exclude: [{ kind: ufno, seed: 2 }] }
    seeds: [1, 2]
    when: \"${{ seed < params.half }}\"
    inputs: { data: simulate.solutions }
    with: { model: { kind: \"${{ matrix.kind }}\" }, epochs: 40 }
    publish: { model: 'results/${{ matrix.kind }}-${{ seed }}' }
  score:
    uses: lab/score
    inputs: { model: train.model, data: simulate.solutions }
  summary:
    uses: lab/summary
    inputs: { metrics: { collect: score.metrics, over: [seed] } }
    needs: [geology]
  plot:
    uses: exec/run
    inputs: { all: [score.metrics] }
    with: { run: \"(case $x in a) sort ${{ inputs.all }} <<< '#';; esac) > \\\"${{ outputs.it }}\\\" # x\", env: [LANG] }
    outputs: { it: file }
report: [summary.metrics]
";

#[test]
fn the_study_itself_is_sound() {
    assert_eq!(common::graph(STUDY).nodes.len(), 2 + 3 + 3 + 2 + 1);
}

/// Sixty doublings would be more than any memory.
#[test]
fn values_that_double_at_each_step_are_refused() {
    for double in
        ["${{ params.pN + params.pN }}", "${{ [params.pN, params.pN] }}", "${{ params.pN }}${{ params.pN }}"]
    {
        let first = if double.contains('[') { "[1, 2]" } else { "xxxxxxxx" };
        let mut text = format!("flow: 1\nparams:\n  p0: {first}\n");
        for step in 1..60 {
            text += &format!("  p{step}: \"{}\"\n", double.replace("pN", &format!("p{}", step - 1)));
        }
        text += "stages: { a: { uses: demo/text, with: { text: x } } }\n";
        let problems = common::problems(&text);
        assert!(problems.contains("is larger than 16 MiB"), "{double}: {problems}");
    }
}

#[test]
fn what_never_ends_is_not_read() {
    let rows = "flow: 1\nstages: { a: { uses: demo/text, matrix: { r: { rows: /dev/zero } }, with: { text: x } } }\n";
    assert!(common::problems(rows).contains("cannot be read: it is not a file"));
    let include = common::problems("flow: 1\ninclude: { a: /dev/zero }\n");
    assert!(include.contains("`/dev/zero` cannot be read: it is not a file"), "{include}");
}

#[test]
fn folders_of_any_depth_in_a_row_are_walked_once() {
    let folder = common::Folder::new();
    folder.write("a/b/c/d/e/f/g/h/i/j/k/l/m/n/one.csv", "");
    let stars = vec!["**"; 40].join("/");
    let text = format!(
        "flow: 1\nstages: {{ a: {{ uses: demo/text, matrix: {{ f: {{ files: \"{stars}/*.csv\" }} }}, with: {{ text: x }} }} }}\n"
    );
    assert_eq!(folder.load(&text, None, &[]).unwrap().nodes.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_workflow_is_reported(
        at in 0..STUDY.len(),
        length in 0usize..30,
        instead in "(|[ -~]{0,8}|\\$\\{\\{ | \\}\\}|&a \\*a|: |\n  |é|\\*g|<<: \\*g|\u{0})",
        set in "([a-z.]{0,9}|train\\.with\\.[a-z]{0,6})=?[ -~]{0,6}",
    ) {
        let chars: Vec<char> = STUDY.chars().collect();
        let at = at.min(chars.len());
        let end = (at + length).min(chars.len());
        let text: String = chars[..at].iter().chain(&instead.chars().collect::<Vec<_>>()).chain(&chars[end..]).collect();
        let folder = common::Folder::new();
        // What is wrong is shown with a place in the text; what is not wrong is a graph.
        if let Err(problems) = folder.load(&text, Some("paper"), &[&set]) {
            prop_assert!(problems.contains("error: "), "{problems}");
            prop_assert!(!problems.contains(char::from(0)), "a control character");
        }
    }

    #[test]
    fn a_damaged_included_workflow_is_reported(
        at in 0..STUDY.len(),
        length in 0usize..30,
        instead in "(|[ -~]{0,8}|\\$\\{\\{ | \\}\\}|&a \\*a|: |\n  |é|\\*g|include: \\{ a: part.yaml \\}\n|\u{0})",
        set in "(p\\.)?([a-z.]{0,9}|train\\.with\\.[a-z]{0,6})=?[ -~]{0,6}",
    ) {
        let chars: Vec<char> = STUDY.chars().collect();
        let at = at.min(chars.len());
        let end = (at + length).min(chars.len());
        let text: String = chars[..at].iter().chain(&instead.chars().collect::<Vec<_>>()).chain(&chars[end..]).collect();
        let folder = common::Folder::new();
        folder.write("part.yaml", &text);
        let including = "flow: 1\ninclude: { p: { path: part.yaml, profile: paper, params: { half: 2 } } }\n";
        if let Err(problems) = folder.load(including, None, &[&set]) {
            prop_assert!(problems.contains("error: "), "{problems}");
            prop_assert!(!problems.contains(char::from(0)), "a control character");
        }
    }
}
