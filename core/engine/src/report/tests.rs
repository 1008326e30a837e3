//! The report shows what happened, escapes everything, and stays small for large runs.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use flow_figure::{LineChart, Series};
use flow_plugin::artifact::figure::FigureWriter;
use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::table::Table;
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::{Digest, Kind};
use serde_json::{Map, Value, json};

use super::*;

pub(super) fn node(name: &str, stage: usize, state: State, at: f64, wall: f64) -> NodeInput {
    NodeInput {
        name: name.into(),
        stage,
        state,
        error: None,
        warnings: Vec::new(),
        log: Vec::new(),
        started_s: at,
        wall_s: wall,
        cpu_s: wall * 1.8,
        peak_rss: 250_000_000,
        cost: None,
        bytes: 4_200_000,
        series: Vec::new(),
        origin: Some(Origin {
            operation: ("demo/count".into(), 3),
            key: Some(Digest::of(name.as_bytes())),
            reason: "never computed before".into(),
            seed: 7,
            params: json!({ "epochs": 40, "model": { "kind": "fno" } }),
            inputs: vec![("data".into(), "make.data".into(), Digest::of(b"in"))],
            outputs: vec![("model".into(), Kind::Model, Digest::of(b"out"), 4_200_000)],
        }),
    }
}

fn input(folder: PathBuf) -> ReportInput {
    let stage = |name: &str| StageInput { name: name.into(), operation: "demo/count".into() };
    let mut params = Map::new();
    params.insert("reservoirs".into(), json!(300));
    let mut train: Vec<NodeInput> = (1..=2)
        .map(|seed| {
            let mut train = node(&format!("train[seed={seed}]"), 1, State::Executed, 2.0, 60.0);
            let loss = |floor: f64| (1..=40).map(|e| (e, floor + 1.0 / e as f64)).collect();
            train.series = vec![
                ("train_loss".into(), loss(0.01)),
                ("validation_loss".into(), loss(0.02 * f64::from(seed))),
            ];
            train
        })
        .collect();
    let mut nodes = vec![node("make", 0, State::Cached, 0.0, 0.0)];
    nodes[0].cost = Some((12.5, 20.0));
    nodes.append(&mut train);
    nodes.push(node("evaluate", 2, State::Executed, 62.0, 3.0));
    ReportInput {
        path: folder.join("report.html"),
        workflow: "ccs".into(),
        description: "Learn CO₂ plume migration.".into(),
        run: "2026-11-21-a1".into(),
        status: Status::Succeeded,
        command: "flow run ccs.yaml".into(),
        started: 1_795_000_000.0,
        wall_s: 65.0,
        facts: vec![("cores".into(), "2".into())],
        params,
        stages: vec![stage("make"), stage("train"), stage("evaluate")],
        edges: vec![(0, 1), (1, 2), (0, 2)],
        nodes,
        artifacts: Vec::new(),
    }
}

fn text(input: &ReportInput) -> String {
    fs::read_to_string(write(input).unwrap()).unwrap()
}

#[test]
fn everything_that_happened_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = input(folder.path().to_owned());
    input.nodes[3].warnings.push("2 of 60 cases left out".into());
    let html = text(&input);
    for part in [
        "<h1>ccs<span class=\"status succeeded\">",
        "run <code>2026-11-21-a1</code>",
        "2026-11-18 11:06:40 UTC",
        "epochs: 40\nmodel.kind: fno",
        "2 of 60 cases left out",
        "<i>12.5 s</i>",
        "saved by the cache",
        "data ← make.data",
        "1 min 05 s",
    ] {
        assert!(html.contains(part), "{part}");
    }
    // Both seeds, both losses, one chart.
    assert_eq!(html.matches("alt=\"train: loss\"").count(), 1);
    assert_eq!(html, text(&input));
}

#[test]
fn artifacts_are_shown_by_kind() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = input(folder.path().to_owned());
    let path = |name: &str| folder.path().join(name);
    let mut figures = FigureWriter::create(path("figures")).unwrap();
    let figure = LineChart::new("x").series(Series::new("a", [(0.0, 1.0), (1.0, 2.0)])).render();
    figures.add("curve", "The <curve>", &figure.svg, &figure.png).unwrap();
    figures.finish().unwrap();
    write_metrics(
        path("m1"),
        &json!({ "r2": 0.981, "cases": [{ "case": 3, "error": 0.5 }],
        "by": { "fno": { "l2": 0.25 }, "ufno": { "l2": 0.5 } } }),
    )
    .unwrap();
    write_metrics(path("m2"), &json!({ "r2": 0.975, "extra": f64::NAN.to_string() })).unwrap();
    Table::new().with("case", vec![1_i64; 70]).write(path("table")).unwrap();
    let mut data = DatasetWriter::create(path("data")).unwrap();
    let height = Variable::new::<f32>("height", &["x"], &[2], "m", "Height");
    data.write(&height, &[1.0_f32, 3.0]).unwrap();
    data.finish().unwrap();
    fs::write(path("broken"), "not JSON").unwrap();
    let artifact = |node: &str, port: &str, kind, name: &str| ArtifactInput {
        node: node.into(),
        stage: node.split('[').next().unwrap().into(),
        operation: ("demo/count".into(), 3),
        key: Some(Digest::of(b"key")),
        port: port.into(),
        kind,
        digest: Digest::of(b"out"),
        path: path(name),
    };
    input.artifacts = vec![
        artifact("evaluate", "figures", Kind::Figure, "figures"),
        artifact("train[seed=1]", "metrics", Kind::Metrics, "m1"),
        artifact("train[seed=2]", "metrics", Kind::Metrics, "m2"),
        artifact("evaluate", "cases", Kind::Table, "table"),
        artifact("make", "data", Kind::Dataset, "data"),
        artifact("evaluate", "more", Kind::Metrics, "broken"),
    ];
    let html = text(&input);
    for part in [
        "<figcaption>The &lt;curve&gt;</figcaption>",
        "src=\"data:image/svg+xml;base64,",
        "<th class=\"n\">seed=1</th><th class=\"n\">seed=2</th>",
        "<td>r2</td><td class=\"n\" data-v=\"0.981\" title=\"0.981\">0.981</td><td class=\"n\" data-v=\"0.975\"",
        "<h4>cases</h4>",
        "<tr><td>ufno</td><td class=\"n\" data-v=\"0.5\"",
        "The first 50 of 70 rows.",
        "<td><code>height</code></td><td>x 2</td><td>f32</td><td>m</td><td class=\"n\">1</td><td class=\"n\">2</td>",
        "is not JSON",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    const HOSTILE: &str =
        "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u{1b}[31m\u{202e}";
    let folder = tempfile::tempdir().unwrap();
    let mut input = input(folder.path().to_owned());
    input.workflow = HOSTILE.into();
    input.description = HOSTILE.into();
    input.run = HOSTILE.into();
    input.command = HOSTILE.into();
    input.facts = vec![(HOSTILE.into(), HOSTILE.into())];
    input.params.insert(HOSTILE.into(), HOSTILE.into());
    input.stages[1] = StageInput { name: HOSTILE.into(), operation: HOSTILE.into() };
    let node = &mut input.nodes[1];
    node.name = HOSTILE.into();
    node.error = Some(HOSTILE.into());
    node.warnings = vec![HOSTILE.into()];
    node.log = vec![HOSTILE.into()];
    node.series[0].0 = HOSTILE.into();
    let origin = node.origin.as_mut().unwrap();
    origin.operation.0 = HOSTILE.into();
    origin.reason = HOSTILE.into();
    origin.params = json!({ HOSTILE: HOSTILE });
    origin.inputs[0].0 = HOSTILE.into();
    origin.inputs[0].1 = HOSTILE.into();
    origin.outputs[0].0 = HOSTILE.into();
    let metrics = folder.path().join("metrics");
    let value: Value = json!({ HOSTILE: HOSTILE, "list": [{ HOSTILE: HOSTILE }] });
    fs::write(&metrics, value.to_string()).unwrap();
    let artifact = |kind| ArtifactInput {
        node: HOSTILE.into(),
        stage: HOSTILE.into(),
        operation: (HOSTILE.into(), 3),
        key: Some(Digest::of(b"key")),
        port: HOSTILE.into(),
        kind,
        digest: Digest::of(b"out"),
        path: metrics.clone(),
    };
    input.artifacts = vec![artifact(Kind::Metrics), artifact(Kind::File), artifact(Kind::Table)];
    let html = text(&input);
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("</script").count(), 1);
    assert!(!html.contains("<img src=x"));
    assert!(!html.contains('\u{1b}') && !html.contains('\u{202e}'));
    let policy =
        html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"));
    assert!(html.contains(&format!(
        "<script {}",
        policy.split('\'').find(|p| p.starts_with("nonce-")).unwrap().replacen('-', "=\"", 1)
    )));
}

#[test]
fn large_runs_make_small_reports() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = input(folder.path().to_owned());
    let many =
        (0..2000).map(|n| node(&format!("make[n={n}]"), 0, State::Executed, f64::from(n) / 50.0, 0.02));
    let mut failed = node("make[n=2000]", 0, State::Failed, 41.0, 0.001);
    failed.error = Some("no such thing".into());
    failed.log = vec!["step 12".into(), "<stopped>".into()];
    input.nodes.splice(0..1, many.chain([failed]));
    let html = text(&input);
    assert!(html.len() < 300_000, "{}", html.len());
    assert!(html.contains("2001 nodes: 2000 executed, 1 failed; 60 listed: failed and slowest"));
    assert!(html.contains("no such thing"));
}

#[test]
fn a_run_in_which_nothing_happened_has_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = input(folder.path().to_owned());
    input.status = Status::Interrupted;
    input.nodes.clear();
    assert!(text(&input).contains("interrupted"));
    input.stages.clear();
    input.edges.clear();
    assert!(text(&input).contains("interrupted"));
}
