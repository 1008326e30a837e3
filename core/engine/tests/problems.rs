//! What a wrong workflow is told: one snapshot a mistake.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{problems, problems_with};
use insta::assert_snapshot;

/// A sound workflow to put one mistake into.
fn study(replace: &str, with: &str) -> String {
    let text = "flow: 1
name: study
params:
  reservoirs: 300
stages:
  geology:
    uses: lab/geology
    with: { samples: \"${{ params.reservoirs }}\", seed: 7, radius: 1.5 km }
  simulate:
    uses: lab/simulate
    inputs: { reservoirs: geology.reservoirs }
  train:
    uses: lab/train
    matrix: { kind: [fno, ufno] }
    inputs: { data: simulate.solutions }
    with: { model: { kind: \"${{ matrix.kind }}\" }, epochs: 40 }
  score:
    uses: lab/score
    inputs: { model: train.model, data: simulate.solutions }
  summary:
    uses: lab/summary
    inputs: { metrics: [score.metrics] }
report:
  - summary.metrics
";
    assert!(text.contains(replace), "{replace}");
    text.replacen(replace, with, 1)
}

macro_rules! mistake {
    ($name:ident, $replace:expr, $with:expr) => {
        #[test]
        fn $name() {
            assert_snapshot!(problems(&study($replace, $with)));
        }
    };
}

// Spelling.
mistake!(a_misspelt_top_key, "params:", "parms:");
mistake!(a_misspelt_stage_key, "    inputs: { reservoirs: geology", "    input: { reservoirs: geology");
mistake!(a_misspelt_operation, "lab/simulate", "lab/simulat");
mistake!(an_unknown_plugin, "lab/simulate", "opm/flow");
mistake!(an_operation_without_its_plugin, "lab/simulate", "simulate");
mistake!(a_misspelt_input, "{ reservoirs: geology.reservoirs }", "{ reservoir: geology.reservoirs }");
mistake!(a_misspelt_output, "geology.reservoirs", "geology.reservoir");
mistake!(a_misspelt_stage, "train.model", "trian.model");
mistake!(a_reference_without_an_output, "train.model", "train");
mistake!(a_misspelt_parameter, "epochs: 40", "epoch: 40");
mistake!(a_misspelt_nested_parameter, "{ kind: \"${{ matrix.kind }}\" }", "{ kind: fno, mode: [4, 4] }");
mistake!(a_misspelt_report_output, "- summary.metrics", "- summary.metric");
mistake!(a_misspelt_axis, "matrix.kind", "matrix.kinds");
mistake!(a_misspelt_workflow_parameter, "params.reservoirs", "params.reservoir");

// Values.
mistake!(a_text_for_a_number, "epochs: 40", "epochs: many");
mistake!(a_quoted_number, "epochs: 40", "epochs: \"40\"");
mistake!(a_fraction_for_a_whole_number, "epochs: 40", "epochs: 4.5");
mistake!(a_value_out_of_range, "reservoirs: 300", "reservoirs: 0");
mistake!(a_value_above_an_open_range, "epochs: 40", "epochs: 40, learning_rate: 0");
mistake!(a_type_too_small, "epochs: 40", "epochs: 400");
mistake!(an_unknown_choice, "seed: 7", "seed: 7, field: log_gausian");
mistake!(an_unknown_variant, "[fno, ufno]", "[fno, unet]");
mistake!(a_variant_without_its_name, "{ kind: \"${{ matrix.kind }}\" }", "{ width: 3 }");
mistake!(a_missing_parameter, "samples: \"${{ params.reservoirs }}\", ", "");
mistake!(
    a_missing_parameter_without_with,
    "    with: { model: { kind: \"${{ matrix.kind }}\" }, epochs: 40 }\n",
    ""
);
mistake!(a_wrong_unit, "1.5 km", "1.5 bar");
mistake!(an_unknown_unit, "1.5 km", "1.5 furlongs");
mistake!(a_list_of_the_wrong_length, "radius: 1.5 km", "depth: [1 km]");
mistake!(a_check_of_the_operation, "radius: 1.5 km", "depth: [2 km, 900]");
mistake!(a_check_beside_a_wrong_value, "radius: 1.5 km", "radius: 1.5 bar, depth: [2 km, 900]");
mistake!(
    a_check_beside_a_missing_and_an_unknown_parameter,
    "samples: \"${{ params.reservoirs }}\", seed: 7, radius: 1.5 km",
    "sed: 7, depth: [2 km, 900]"
);
mistake!(a_mapping_for_a_list, "epochs: 40", "epochs: 40, split: { train: 0.8 }");
mistake!(an_expression_that_fails, "${{ params.reservoirs }}", "${{ params.reservoirs / 0 }}");
mistake!(an_expression_that_does_not_parse, "${{ params.reservoirs }}", "${{ params.reservoirs * }}");
mistake!(an_unknown_function, "${{ params.reservoirs }}", "${{ flor(params.reservoirs) }}");
mistake!(an_expression_without_end, "${{ params.reservoirs }}", "${{ params.reservoirs }");
mistake!(an_unquoted_expression, "\"${{ params.reservoirs }}\"", "${{ params.reservoirs }}");
mistake!(
    parameters_in_a_circle,
    "reservoirs: 300",
    "reservoirs: ${{ params.b }}\n  b: ${{ params.reservoirs + 1 }}"
);

// Connections.
mistake!(a_missing_input, "    inputs: { reservoirs: geology.reservoirs }\n", "");
mistake!(
    a_missing_input_beside_a_misspelt_one,
    "model: train.model, data: simulate.solutions",
    "modle: train.model"
);
mistake!(a_wrong_kind, "model: train.model", "model: train.history");
mistake!(a_wrong_type, "reservoirs: geology.reservoirs", "reservoirs: simulate2.solutions");
mistake!(a_wrong_unit_of_a_variable, "lab/score", "lab/evaluate");
mistake!(one_artifact_for_a_collection, "[score.metrics]", "score.metrics");
mistake!(a_collection_for_one_artifact, "model: train.model", "model: [train.model]");
mistake!(an_unknown_axis_to_collect, "[score.metrics]", "{ collect: score.metrics, over: [seed] }");
mistake!(
    a_missing_file,
    "{ metrics: [score.metrics] }",
    "{ metrics: [score.metrics], extra: [{ path: study.yml }] }"
);
mistake!(
    a_converted_input,
    "data: simulate.solutions }\n    with",
    "data: { from: simulate.solutions, as: netcdf } }\n    with"
);

#[test]
fn a_wrong_nominal_type() {
    let text = study("reservoirs: geology.reservoirs", "reservoirs: again.solutions").replace(
        "  train:",
        "  again:\n    uses: lab/simulate\n    inputs: { reservoirs: geology.reservoirs }\n  train:",
    );
    assert_snapshot!(problems(&text));
}

#[test]
fn a_cycle() {
    assert_snapshot!(problems(
        "flow: 1
stages:
  a: { uses: demo/grep, inputs: { text: c.text }, with: { contains: x } }
  b: { uses: demo/grep, inputs: { text: a.text }, with: { contains: x } }
  c:
    uses: demo/join
    inputs:
      parts:
        - b.text
    needs: [d]
  d: { uses: demo/grep, inputs: { text: d.text }, with: { contains: x } }
"
    ));
}

// Structure.
mistake!(two_stages_of_one_name, "  score:", "  train:");
mistake!(a_duplicate_parameter, "epochs: 40", "epochs: 40, epochs: 50");
mistake!(a_newer_format, "flow: 1", "flow: 2");
mistake!(no_format, "flow: 1\n", "");
mistake!(a_stage_without_an_operation, "    uses: lab/simulate\n", "");
mistake!(a_bad_stage_name, "  simulate:", "  simulate it:");
mistake!(not_yaml, "uses: lab/simulate", "uses: [lab/simulate");
mistake!(a_tab, "    uses: lab/simulate", "\tuses: lab/simulate");
mistake!(a_list_of_stages, "  geology:\n    uses: lab/geology", "  - geology:\n    uses: lab/geology");
mistake!(plugins_of_ones_own, "stages:", "plugins: [mine.py]\nstages:");

// Matrices and limits.
mistake!(a_value_twice_on_an_axis, "[fno, ufno]", "[fno, ufno, fno]");
mistake!(an_axis_that_is_no_list, "[fno, ufno]", "fno");
mistake!(an_empty_axis, "[fno, ufno]", "[]");
mistake!(
    an_exclusion_of_nothing,
    "{ kind: [fno, ufno] }",
    "{ kind: [fno, ufno], exclude: [{ kind: unet }] }"
);
mistake!(too_many_nodes, "{ kind: [fno, ufno] }", "{ kind: [fno, ufno], n: \"${{ range(99999) }}\" }");
mistake!(zips_of_different_lengths, "matrix: { kind: [fno, ufno] }", "zip: { kind: [fno, ufno], n: [1] }");
mistake!(
    a_seed_given_twice,
    "epochs: 40",
    "epochs: 40, seed: 3 }\n    seeds: [1, 2]\n    resources: { cpus: 1"
);
mistake!(a_negative_seed, "matrix: { kind: [fno, ufno] }", "matrix: { kind: [fno] }\n    seeds: [-1]");
mistake!(
    bad_limits,
    "    matrix:",
    "    resources: { cpus: 0, memory: 4, gpu: 1 }\n    timeout: 30\n    retry: -1\n    matrix:"
);
mistake!(
    a_limit_that_a_later_attempt_breaks,
    "    matrix:",
    "    resources: { cpus: \"${{ 3 - attempt }}\" }\n    retry: 3\n    matrix:"
);
mistake!(a_parameter_that_depends_on_the_attempt, "epochs: 40", "epochs: \"${{ attempt }}\"");
mistake!(an_unknown_unit_of_time, "    matrix:", "    timeout: 3 fortnights\n    matrix:");
mistake!(
    two_nodes_publish_to_one_path,
    "    matrix:",
    "    publish: { model: results/model, histry: x }\n    matrix:"
);
mistake!(
    publishing_outside,
    "    matrix:",
    "    publish: { model: ../model, history: .flow/x }\n    matrix:"
);

// From outside.
#[test]
fn a_misspelt_profile() {
    let text = study("stages:", "profiles: { paper: { params: { reservoirs: 9 } } }\nstages:");
    assert_snapshot!(problems_with(&text, Some("papper"), &[]));
}

#[test]
fn a_profile_that_sets_what_is_not_there() {
    let text = study("stages:", "profiles: { paper: { params: { reservoir: 9 }, reservoirs: 3 } }\nstages:");
    assert_snapshot!(problems(&text));
}

#[test]
fn settings_that_name_nothing() {
    let set = [
        "reservoir=3",
        "trian.with.epochs=3",
        "train.epochs=3",
        "train.with=3",
        "reservoirs",
        "reservoirs.x=3",
        "train.with.epoch=3",
    ];
    assert_snapshot!(problems_with(&study("flow: 1", "flow: 1"), None, &set));
}

#[test]
fn settings_with_wrong_values() {
    let set = ["reservoirs=many", "train.with.epochs=-1", "geology.with.radius=3 s", "name=[1"];
    assert_snapshot!(problems_with(&study("params:", "params:\n  name: x"), None, &set));
}

#[test]
fn everything_is_reported_together() {
    let text =
        study("lab/simulate", "lab/simulat").replace("epochs: 40", "epoch: 40").replace("seed: 7", "sed: 7");
    assert_snapshot!(problems(&text));
}

#[test]
fn a_mistake_in_every_node_of_a_matrix_is_one_problem() {
    assert_snapshot!(problems(
        "flow: 1
stages:
  a:
    uses: lab/geology
    matrix: { n: [0, -1, -2, 5] }
    with: { samples: '${{ matrix.n }}' }
"
    ));
}

#[test]
fn a_long_line_is_cropped_around_the_mistake() {
    let long = "x".repeat(300);
    assert_snapshot!(problems(&format!(
        "flow: 1\nstages:\n  a: {{ uses: demo/text, with: {{ text: \"{long}\", txt: 3, more: \"{long}\" }} }}\n"
    )));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = problems("flow: 1\nstages: { a: { uses: \"lab/tr\\u001b[31main\" } }\n");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_snapshot!(text);
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut text = String::from("flow: 1\nparams:\n  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for n in 1..9 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        text.push_str(&format!("  a{n}: &a{n} [{items}]\n"));
    }
    text.push_str("stages: { a: { uses: demo/text, with: { text: x } } }\n");
    assert_snapshot!(problems(&text));
}

#[test]
fn an_empty_file() {
    assert_snapshot!(problems(""));
}

#[test]
fn joins_without_common_values() {
    assert_snapshot!(problems(
        "flow: 1
stages:
  a: { uses: demo/text, matrix: { m: [x, y] }, with: { text: t } }
  b: { uses: demo/grep, matrix: { m: [z] }, inputs: { text: a.text }, with: { contains: t } }
"
    ));
}

#[test]
fn a_published_file_is_not_read_as_an_external_one() {
    let folder = common::Folder::new();
    folder.write("results/a.txt", "x");
    let text = "flow: 1
stages:
  a: { uses: demo/text, with: { text: t }, publish: { text: results/a.txt } }
  b: { uses: demo/grep, inputs: { text: { path: results/a.txt } }, with: { contains: t } }
";
    assert_snapshot!(folder.load(text, None, &[]).unwrap_err());
}

#[test]
fn nothing_is_published_into_another_output() {
    let text = "flow: 1
stages:
  a: { uses: demo/text, with: { text: t }, publish: { text: results/all/a.txt } }
  b: { uses: demo/text, with: { text: u }, publish: { text: results/all } }
";
    assert_snapshot!(problems(text));
}

#[test]
fn a_misspelt_with_does_not_make_parameters_missing() {
    let text = study("    with: { model", "    wiht: { model")
        .replace("matrix:", "matirx:")
        .replace("stages:", "stage:");
    assert_snapshot!(problems(&text));
    assert_snapshot!(problems(&text.replace("stage:", "stages:")));
}

#[test]
fn a_relation_to_a_wrong_parameter_is_left_for_when_it_is_right() {
    let with = |epochs: &str| study("epochs: 40", &format!("{epochs}, split: [{}]", ["0.01"; 11].join(", ")));
    let relation = "there are more parts than epochs";
    assert!(problems(&with("epochs: 10")).contains(relation));
    for epochs in ["epochs: many", "epoch: 40", "epochs: \"${{ params.x }}\""] {
        let text = problems(&with(epochs));
        assert!(text.contains("1 problem found") && !text.contains(relation), "{text}");
    }
}

#[test]
fn axes_from_outputs_are_checked_before_the_run() {
    let study = |axis: &str, input: &str| {
        format!(
            r#"
flow: 1
name: study
stages:
  split:
    uses: exec/run
    with: {{ run: "mkdir ${{{{ outputs.parts }}}}; echo > ${{{{ outputs.history }}}}" }}
    outputs: {{ parts: folder, history: table }}
  cell:
    uses: demo/grep
    matrix: {{ part: {axis} }}
    inputs: {{ text: {input} }}
    with: {{ contain: x }}
  files:
    uses: demo/grep
    matrix: {{ part: {{ files: study.yaml }} }}
    inputs: {{ text: {input} }}
    with: {{ contains: x }}
"#
        )
    };
    insta::assert_snapshot!(problems(&study("{ from: split.history, at: x }", "matrix.prat")));
    insta::assert_snapshot!(problems(&study("{ from: spilt.parts }", "matrix.part")));
}

#[test]
fn loops_are_checked_before_the_run() {
    let text = r#"
flow: 1
name: study
stages:
  start: { uses: demo/text, with: { text: x } }
  learn:
    repeat:
      until: "${{ scores.metrics.sum > 1 and score.metric.sum > 1 }}"
      carry:
        data: { first: start.txt, then: start.text }
        model: { first: [start.text] }
      stages:
        score:
          uses: demo/count
          inputs: { after: carry.dat }
          with: { to: 1, stp_ms: 0 }
        inner:
          repeat: { at_most: 1, stages: { a: { uses: demo/text } } }
    uses: demo/text
  empty:
    repeat: { at_most: 0, until: "${{ 1 > 0 }}", stages: {} }
  last:
    uses: demo/grep
    inputs: { text: learn.text }
    with: { contains: x }
"#;
    assert_snapshot!(problems(text));
}

#[test]
fn what_decides_about_a_loop_is_one_node_an_iteration() {
    let text = r#"
flow: 1
name: study
stages:
  learn:
    repeat:
      at_most: 3
      until: "${{ score.metrics.sum > 1 }}"
      carry: { data: { then: score.metrics } }
      stages:
        score:
          uses: demo/count
          matrix: { member: [1, 2] }
          with: { to: "${{ matrix.member }}", step_ms: 0 }
        read: { uses: demo/grep, inputs: { text: carry.data }, with: { contains: x } }
"#;
    assert_snapshot!(problems(text));
}

#[test]
fn loops_with_axes_come_to_a_limited_number_of_iterations() {
    let text = r#"
flow: 1
stages:
  learn:
    matrix: { n: "${{ range(50000) }}" }
    repeat: { at_most: 10000, stages: { a: { uses: demo/text, with: { text: x } } } }
"#;
    let said = problems(text);
    assert!(said.contains("this stage comes to more than 100000 nodes"), "{said}");
    assert!(said.contains("study.yaml:4:3"), "{said}");
}

#[cfg(unix)]
#[test]
fn where_no_programs_are_started_plugins_are_refused_and_the_rest_is_checked() {
    use std::os::unix::fs::PermissionsExt;
    let folder = common::Folder::new();
    folder.write("mine.sh", "#!/bin/sh\ntouch started\n");
    let script = folder.path().join("mine.sh");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let text = "flow: 1\nplugins: { mine: { command: [./mine.sh] }, gone: { command: [./gone.sh] } }\n\
                stages:\n  a: { uses: mine/make }\n  b: { uses: demo/text, with: { txt: x } }\n";
    folder.write("study.yaml", text);
    let options =
        flow_engine::workflow::Options { current_dir: folder.path().to_owned(), ..Default::default() };
    let mut catalog = common::catalog().without_programs();
    let said = flow_engine::workflow::load(&folder.path().join("study.yaml"), &options, &mut catalog)
        .map(|graph| graph.nodes.len())
        .map_err(|problems| problems.lines().join("\n"))
        .unwrap_err();
    assert!(
        said.contains("`mine` cannot be used: it is a program, and programs are not started here"),
        "{said}"
    );
    assert!(said.contains("there is no program `./gone.sh`"), "{said}");
    assert!(said.contains("`txt`") && !said.contains("mine/make"), "{said}");
    assert!(!folder.path().join("started").exists());
}
