//! What a sound workflow comes to: nodes, their parameters, seeds and connections.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Folder, graph, names};
use flow_engine::graph::{Cpus, Edge, Graph, Origin};
use flow_engine::workflow::{Fact, Facts, FolderEntry};
use serde_json::json;

const STUDY: &str = r#"
flow: 1
name: ccs
description: Learn plume migration.
params:
  reservoirs: 300
  seed: 7
  half: ${{ params.reservoirs // 2 }}
profiles:
  paper: { params: { reservoirs: 5500 } }
stages:
  geology:
    uses: lab/geology
    with: { samples: "${{ params.reservoirs }}", seed: "${{ params.seed }}", radius: 1.5 km }
  simulate:
    uses: lab/simulate
    inputs: { reservoirs: geology.reservoirs }
    resources: { cpus: 2, memory: 4 GiB }
    timeout: 30 min
    retry: 2
  train:
    uses: lab/train
    matrix: { model: [fno, ufno] }
    seeds: [1, 2]
    inputs: { data: simulate.solutions }
    with: { model: { kind: "${{ matrix.model }}" }, epochs: 40 }
    resources: { cpus: all }
  score:
    uses: lab/score
    inputs: { model: train.model, data: simulate.solutions }
  spread:
    uses: lab/summary
    inputs: { metrics: { collect: score.metrics, over: [seed] } }
  summary:
    uses: lab/summary
    inputs: { metrics: [score.metrics, simulate.metrics] }
    needs: [spread]
report:
  - summary.metrics
  - train.history
"#;

#[test]
fn the_study_comes_to_the_right_nodes() {
    let graph = graph(STUDY);
    assert_eq!(graph.name, "ccs");
    assert_eq!(graph.params["half"], json!(150));
    assert_eq!(
        names(&graph, "train"),
        [
            "train[model=fno,seed=1]",
            "train[model=fno,seed=2]",
            "train[model=ufno,seed=1]",
            "train[model=ufno,seed=2]"
        ]
    );
    assert_eq!(names(&graph, "score").len(), 4);
    assert_eq!(names(&graph, "spread"), ["spread[model=fno]", "spread[model=ufno]"]);
    assert_eq!(names(&graph, "summary"), ["summary"]);
    assert_eq!(graph.report, [("summary".into(), "metrics".into()), ("train".into(), "history".into())]);
    let stages: Vec<_> = graph.stages.iter().map(|s| (s.name.as_str(), s.nodes.clone())).collect();
    assert_eq!(stages[2], ("train", vec![2, 3, 4, 5]));
}

#[test]
fn parameters_are_canonical_and_seeds_are_filled_in() {
    let graph = graph(STUDY);
    let geology = graph.node(graph.find("geology").unwrap());
    assert_eq!(
        geology.params,
        json!({ "samples": 300, "seed": 7, "radius": 1500.0, "depth": null, "field": "log_gaussian" })
    );
    assert_eq!((geology.seed, geology.version), (7, 3));
    let train = graph.node(graph.find("train[model=ufno,seed=2]").unwrap());
    assert_eq!(train.params["model"], json!({ "kind": "ufno", "width": 0 }));
    assert_eq!((train.params["seed"].clone(), train.seed), (json!(2), 2));
    assert_eq!(*train.coordinates, *json!({ "model": "ufno", "seed": 2 }).as_object().unwrap());
    // An inherited seed is a coordinate, not a seed of this stage: scores do not depend on it.
    assert_eq!(graph.node(graph.find("score[model=ufno,seed=2]").unwrap()).seed, 0);
}

#[test]
fn limits_are_read_and_traits_come_from_the_declaration() {
    let graph = graph(STUDY);
    let simulate = graph.node(graph.find("simulate").unwrap());
    assert_eq!(simulate.resources.cpus, Cpus::Count(2));
    assert_eq!(simulate.resources.memory, Some(4 << 30));
    assert_eq!(simulate.timeout.unwrap().as_secs(), 1800);
    assert_eq!((simulate.retry, simulate.checkpoints, simulate.measures), (2, true, false));
    assert_eq!(graph.node(graph.find("train[model=fno,seed=1]").unwrap()).resources.cpus, Cpus::All);
    assert!(graph.node(graph.find("summary").unwrap()).measures);
}

#[test]
fn maps_join_on_equal_axes_and_collections_keep_matrix_order_and_coordinates() {
    let graph = graph(STUDY);
    let score = graph.node(graph.find("score[model=fno,seed=2]").unwrap());
    let from = |source: &flow_engine::graph::Source| match &source.from {
        Origin::Output { node, port } | Origin::Entry { node, port, .. } => {
            format!("{}.{port}", graph.node(*node).name)
        }
        Origin::External { path, .. } => path.display().to_string(),
    };
    let sources: Vec<_> = score
        .inputs
        .iter()
        .map(|(port, all)| (port.as_str(), all.iter().map(from).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        sources,
        [
            ("model", vec!["train[model=fno,seed=2].model".to_owned()]),
            ("data", vec!["simulate.solutions".to_owned()])
        ]
    );
    let spread = graph.node(graph.find("spread[model=ufno]").unwrap());
    let items: Vec<_> = spread.inputs[0].1.iter().map(from).collect();
    assert_eq!(items, ["score[model=ufno,seed=1].metrics", "score[model=ufno,seed=2].metrics"]);
    assert_eq!(spread.inputs[0].1[1].coordinates["seed"], json!(2));
    let summary = graph.node(graph.find("summary").unwrap());
    assert_eq!(summary.inputs[0].1.len(), 5);
}

#[test]
fn edges_carry_data_or_order() {
    let graph = graph(STUDY);
    let summary = graph.find("summary").unwrap();
    let upstream: Vec<_> = graph.upstream(summary).map(|id| graph.node(id).name.clone()).collect();
    assert!(upstream.contains(&"spread[model=fno]".to_owned()), "{upstream:?}");
    let orders = graph.dag.edge_weights().filter(|edge| **edge == Edge::Order).count();
    assert_eq!(orders, 2);
}

#[test]
fn a_profile_and_settings_change_what_they_name() {
    let folder = Folder::new();
    let graph = folder.load(STUDY, Some("paper"), &["seed=9", "train.with.epochs=60"]).unwrap();
    assert_eq!(graph.params["half"], json!(2750));
    let geology = graph.node(graph.find("geology").unwrap());
    assert_eq!((geology.params["samples"].clone(), geology.seed), (json!(5500), 9));
    assert_eq!(graph.node(graph.find("train[model=fno,seed=1]").unwrap()).params["epochs"], json!(60));
}

#[test]
fn settings_reach_into_mappings_and_add_parameters() {
    let folder = Folder::new();
    let text = "
flow: 1
params: { net: { width: 8, deep: { rate: 0.1 } } }
stages:
  geology: { uses: lab/geology, with: { samples: 1 } }
  simulate: { uses: lab/simulate, inputs: { reservoirs: geology.reservoirs } }
  train:
    uses: lab/train
    inputs: { data: simulate.solutions }
    with: { model: { kind: fno, width: '${{ params.net.width }}' }, learning_rate: '${{ params.net.deep.rate }}' }
";
    let graph = folder
        .load(text, None, &["net.deep.rate=0.5", "train.with.model.modes=[4, 4]", "simulate.with.newton=3"])
        .unwrap();
    let train = graph.node(graph.find("train").unwrap());
    assert_eq!(train.params["model"], json!({ "kind": "fno", "width": 8, "modes": [4, 4] }));
    assert_eq!(train.params["learning_rate"], json!(0.5));
    assert_eq!(graph.node(graph.find("simulate").unwrap()).params["newton"], json!(3));
}

#[test]
fn zips_go_side_by_side_and_matrices_include_and_exclude() {
    let text = "
flow: 1
stages:
  zipped:
    uses: demo/text
    zip: { low: [1, 2], high: [10, 20] }
    with: { text: '${{ matrix.low }}-${{ matrix.high }}' }
  chosen:
    uses: demo/text
    matrix:
      model: [a, b]
      width: [1, 2]
      exclude: [{ model: b, width: 2 }]
      include: [{ model: c, width: 9 }]
    with: { text: '${{ matrix.model }}' }
  crossed:
    uses: demo/join
    matrix: { separator: ['+'] }
    inputs: { parts: { collect: zipped.text, over: [low] } }
    with: { separator: '${{ matrix.separator }}' }
";
    let again = graph(
        "flow: 1\nstages:\n  a: { uses: demo/text, zip: { m: [x, x, y], w: [1, 2, 1] }, with: { text: t } }\n",
    );
    assert_eq!(names(&again, "a"), ["a[m=x,w=1]", "a[m=x,w=2]", "a[m=y,w=1]"]);
    let graph = graph(text);
    assert_eq!(names(&graph, "zipped"), ["zipped[low=1,high=10]", "zipped[low=2,high=20]"]);
    assert_eq!(graph.nodes[1].params, json!({ "text": "2-20" }));
    assert_eq!(
        names(&graph, "chosen"),
        [
            "chosen[model=a,width=1]",
            "chosen[model=a,width=2]",
            "chosen[model=b,width=1]",
            "chosen[model=c,width=9]"
        ]
    );
    assert_eq!(names(&graph, "crossed"), ["crossed[high=10,separator=+]", "crossed[high=20,separator=+]"]);
}

#[test]
fn an_axis_of_its_own_with_an_inherited_name_narrows_the_stage() {
    let text = "
flow: 1
stages:
  a: { uses: demo/text, matrix: { m: [x, y, z] }, with: { text: t } }
  b: { uses: demo/grep, matrix: { m: [z, x] }, inputs: { text: a.text }, with: { contains: t } }
";
    assert_eq!(names(&graph(text), "b"), ["b[m=x]", "b[m=z]"]);
}

#[test]
fn values_of_any_shape_can_be_on_an_axis() {
    let text = "
flow: 1
params: { sizes: [1, 2] }
stages:
  a:
    uses: demo/text
    matrix: { net: [{ name: small, n: 1 }, { n: 2 }], modes: [[4, 4]], size: '${{ params.sizes }}', word: ['a,b'] }
    with: { text: '${{ matrix.net.n }} ${{ matrix.modes[0] }} ${{ matrix.size }}' }
";
    let graph = graph(text);
    assert_eq!(
        names(&graph, "a")[..2],
        [r#"a[net=small,modes=4x4,size=1,word="a,b"]"#, r#"a[net=small,modes=4x4,size=2,word="a,b"]"#]
    );
    assert_eq!(graph.nodes[2].params, json!({ "text": "2 4 1" }));
    assert!(graph.nodes[2].name.contains("net=#2"));
}

#[test]
fn external_files_are_inputs_relative_to_where_they_are_written() {
    let folder = Folder::new();
    folder.write("data/words.txt", "a\n");
    folder.write("elsewhere/case.npz", "b\n");
    let text = "
flow: 1
params: { case: data/words.txt }
stages:
  grep: { uses: demo/grep, inputs: { text: { path: 'data/${{ \"words\" }}.txt' } }, with: { contains: a } }
  geology: { uses: lab/geology, with: { samples: 2 } }
  simulate:
    uses: lab/simulate
    inputs: { reservoirs: geology.reservoirs }
    with: { case: '${{ params.case }}' }
";
    let graph = folder.load(text, None, &[]).unwrap();
    let external = |node: &str, at: usize| match &graph.node(graph.find(node).unwrap()).inputs[at].1[0].from {
        Origin::External { path, .. } => path.strip_prefix(folder.path()).unwrap().display().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(external("grep", 0), "data/words.txt");
    assert_eq!(external("simulate", 1), "data/words.txt");
    let simulate = graph.node(graph.find("simulate").unwrap());
    assert_eq!(simulate.inputs[1].0, "params.case");
    // The path itself is in no key.
    assert_eq!(simulate.params, json!({ "newton": 10, "case": null }));
    // The operation gets it all the same.
    let case = folder.path().join("data/words.txt");
    assert_eq!(simulate.job_params(1), json!({ "newton": 10, "case": case }));

    // From the command line, paths start where the command was given.
    folder.write("flows/study.yaml", text.replace("data/", "../data/").as_str());
    let options = flow_engine::workflow::Options {
        set: vec!["case=elsewhere/case.npz".into()],
        current_dir: folder.path().to_owned(),
        ..Default::default()
    };
    let graph = flow_engine::workflow::load(
        &folder.path().join("flows/study.yaml"),
        &options,
        &mut common::catalog(),
    )
    .unwrap_or_else(|problems| panic!("{}", common::plain(&problems.to_string())));
    let simulate = graph.node(graph.find("simulate").unwrap());
    match &simulate.inputs[1].1[0].from {
        Origin::External { path, .. } => assert!(path.ends_with("elsewhere/case.npz")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn anchors_and_merge_keys_work_and_words_stay_words() {
    let text = "
flow: 1
stages:
  a: &a { uses: demo/text, with: &with { text: no } }
  b:
    <<: *a
    with: { <<: *with }
  c:
    <<: *a
    with: { <<: *with, text: '007' }
";
    let graph = graph(text);
    assert_eq!(graph.nodes[1].params, json!({ "text": "no" }));
    assert_eq!(graph.nodes[2].params, json!({ "text": "007" }));
}

#[test]
fn publishing_takes_expressions() {
    let text = "
flow: 1
stages:
  a:
    uses: demo/text
    matrix: { m: [x, y] }
    with: { text: t }
    publish: { text: 'results/${{ matrix.m }}.txt' }
";
    let graph = graph(text);
    assert_eq!(graph.nodes[1].publish["text"], std::path::Path::new("results/y.txt"));
}

#[test]
fn parameters_are_described_with_their_forms_units_and_ranges() {
    let catalog = common::catalog();
    let described = |name: &str| flow_engine::describe::parameters(catalog.get(name).unwrap());
    let accepts: Vec<_> =
        described("lab/geology").into_iter().map(|p| (p.name, p.accepts, p.required, p.default)).collect();
    let row = |name: &str, accepts: &str, required, default| {
        (name.to_owned(), accepts.to_owned(), required, default)
    };
    assert_eq!(
        accepts,
        [
            row("samples", "whole number, 1 to 100000", true, None),
            row("seed", "whole number", false, Some(json!(0))),
            row("radius", "number in m, ≥ 1", false, Some(json!(1000.0))),
            row("depth", "list of 2 numbers in m, or null", false, Some(json!(null))),
            row("field", "log_gaussian | von_karman", false, Some(json!("log_gaussian"))),
        ]
    );
    let model = &described("lab/train")[0];
    let variants: Vec<_> = model.variants.iter().map(|v| (v.chosen_by.as_str(), v.fields.len())).collect();
    assert_eq!(variants, [("kind: fno", 2), ("kind: ufno", 1)]);
    assert_eq!(described("lab/simulate")[1].accepts, "path, or null");
}

/// What is carried from one iteration to the next is made by nodes that become known only while the loop runs.
#[test]
fn an_iteration_waits_until_it_is_known_what_it_is_given() {
    let loops = |until: &str| {
        format!(
            "flow: 1
stages:
  learn:
    matrix: {{ target: [2, 3] }}
    repeat:
      at_most: 3
{until}      carry: {{ seen: {{ first: {{ path: seed.txt }}, then: all.text }} }}
      stages:
        split:
          uses: exec/run
          inputs: {{ seen: carry.seen }}
          with: {{ run: \"cp ${{{{ inputs.seen }}}} ${{{{ outputs.parts }}}}\" }}
          outputs: {{ parts: folder }}
        each:
          uses: demo/grep
          matrix: {{ part: {{ from: split.parts }} }}
          inputs: {{ text: matrix.part }}
          with: {{ contains: x }}
        all: {{ uses: demo/join, inputs: {{ parts: [each.text] }} }}
        score: {{ uses: demo/count, with: {{ to: 1, step_ms: 0 }} }}
  last: {{ uses: demo/join, inputs: {{ parts: [learn.all.text] }} }}
"
        )
    };
    let splits = |of: &[(u32, u32)]| -> Vec<String> {
        of.iter().map(|(target, turn)| format!("learn.split[target={target},iteration={turn}]")).collect()
    };
    let folder = Folder::new();
    folder.write("seed.txt", "x\n");
    for until in ["", "      until: \"${{ score.metrics.sum > 5 }}\"\n"] {
        let mut graph = folder.load(&loops(until), None, &[]).unwrap();
        assert_eq!(names(&graph, "learn.split"), splits(&[(2, 1), (3, 1)]));
        let mut facts = Facts::default();
        // That there is another iteration may be known first.
        for score in splits(&[(2, 1), (2, 2), (3, 1), (3, 2)]) {
            facts.insert(&score.replace("split", "score"), "metrics", Fact::Json(json!({ "sum": 1 })));
        }
        let mut tell = |graph: &Graph, split: &str| {
            facts.insert(
                split,
                "parts",
                Fact::Entries(vec![FolderEntry { name: "a".into(), folder: false }]),
            );
            graph.grow(&common::catalog(), &facts).unwrap()
        };
        graph = tell(&graph, &splits(&[(2, 1)])[0]);
        // The other loop has not come that far.
        assert_eq!(names(&graph, "learn.split"), splits(&[(2, 1), (3, 1), (2, 2)]));
        let next = graph.nodes.iter().find(|node| node.name == splits(&[(2, 2)])[0]).unwrap();
        let Origin::Output { node, port } = &next.inputs[0].1[0].from else { panic!("{:?}", next.inputs) };
        assert_eq!(
            (graph.node(*node).name.as_str(), port.as_str()),
            ("learn.all[target=2,iteration=1]", "text")
        );
        for (target, turn) in [(2, 2), (2, 3), (3, 1), (3, 2)] {
            graph = tell(&graph, &splits(&[(target, turn)])[0]);
        }
        assert!(names(&graph, "last").is_empty(), "{:?}", names(&graph, "last"));
        graph = tell(&graph, &splits(&[(3, 3)])[0]);
        assert_eq!(names(&graph, "last").len(), 1);
        assert_eq!(graph.nodes.len(), 2 * 3 * 4 + 1);
    }
}
