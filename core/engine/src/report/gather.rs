//! What a report shows, from the store's record of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flow_store::{NodeOutline, NodeRecord, NodeState, OutputRecord, RunStatus, Store};

use super::nodes::{listed, of_stages};
use super::{ArtifactInput, NodeInput, Origin, ReportInput, StageInput, State, Status};
use crate::graph::Graph;

/// Collects what the report of a run shows. `path` is the file to write later.
///
/// # Errors
/// When the store cannot be read, or has no such run.
pub fn gather(store: &Store, run: &str, graph: &Graph, path: PathBuf) -> flow_store::Result<ReportInput> {
    let record = store.run(run)?;
    let stages: BTreeMap<&str, usize> =
        graph.stages.iter().enumerate().map(|(at, stage)| (stage.name.as_str(), at)).collect();
    let mut edges: Vec<(usize, usize)> = graph
        .dag
        .edge_indices()
        .filter_map(|edge| graph.dag.edge_endpoints(edge))
        .filter_map(|(a, b)| {
            let stage = |index: petgraph::graph::NodeIndex| {
                stages.get(graph.nodes.get(index.index())?.stage.as_str()).copied()
            };
            Some((stage(a)?, stage(b)?))
        })
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let started = record.as_ref().map_or(0.0, |record| record.start.started);
    let (mut series, mut warnings) = (store.all_series(run)?, store.all_warnings(run)?);
    let (mut nodes, mut positions) = (Vec::new(), Vec::new());
    let mut failed = 0;
    for node in store.node_outlines(run)? {
        let Some(&stage) = stages.get(node.stage.as_str()) else { continue };
        let log = match node.state {
            NodeState::Failed if failed < LOGS => {
                failed += 1;
                last_lines(store, run, &node.name)?
            }
            _ => Vec::new(),
        };
        let series = series.remove(&node.name).unwrap_or_default();
        let warnings = warnings.remove(&node.name).unwrap_or_default();
        positions.push(node.position);
        nodes.push(NodeInput { series, warnings, log, ..node_input(node, stage, started) });
    }
    let artifacts = details(store, run, graph, &positions, &mut nodes)?;
    let last = nodes.iter().map(|node| node.started_s + node.wall_s).fold(0.0, f64::max);
    let mut input = ReportInput {
        path,
        workflow: graph.name.clone(),
        description: graph.description.clone(),
        run: run.to_owned(),
        status: Status::Interrupted,
        command: String::new(),
        started,
        wall_s: last,
        facts: Vec::new(),
        params: graph.params.clone(),
        stages: graph
            .stages
            .iter()
            .map(|stage| StageInput { name: stage.name.clone(), operation: stage.operation.clone() })
            .collect(),
        edges,
        nodes,
        artifacts,
    };
    if let Some(record) = record {
        input.status = match record.status {
            RunStatus::Succeeded => Status::Succeeded,
            RunStatus::Failed => Status::Failed,
            RunStatus::Interrupted | RunStatus::Died | RunStatus::Running => Status::Interrupted,
        };
        input.command = format!("flow {}", record.start.command);
        input.wall_s = record.finished.map_or(last, |finished| finished - started);
        let machine = record.start.machine;
        input.facts = vec![
            ("host".into(), machine.host),
            ("processor".into(), machine.cpu),
            ("cores".into(), machine.cores.to_string()),
            ("flow".into(), record.start.engine),
            ("workflow file".into(), record.start.file),
        ];
        if graph.limits_memory() {
            input.facts.push(("memory limits".into(), crate::run::cgroup::how().into()));
        }
    }
    Ok(input)
}

/// Of so many failed nodes the report shows the log.
const LOGS: usize = 30;

/// So many lines of it.
const LINES: usize = 40;

fn last_lines(store: &Store, run: &str, node: &str) -> flow_store::Result<Vec<String>> {
    let mut log = store.logs(run, node)?;
    let last = log.split_off(log.len().saturating_sub(LINES));
    Ok(last.into_iter().map(|record| record.message).collect())
}

/// Asks where the results of the listed nodes come from, and for the artifacts to show. There may be a great many nodes
/// of which the page shows only how they ended, so the others are not asked for.
fn details(
    store: &Store,
    run: &str,
    graph: &Graph,
    positions: &[usize],
    nodes: &mut [NodeInput],
) -> flow_store::Result<Vec<ArtifactInput>> {
    let in_report = |stage: &str| graph.report.iter().any(|(wanted, _)| wanted == stage);
    let mut asked: Vec<usize> = of_stages(nodes, graph.stages.len())
        .into_iter()
        .zip(&graph.stages)
        .flat_map(|(of_stage, stage)| if in_report(&stage.name) { of_stage } else { listed(nodes, of_stage) })
        .collect();
    asked.sort_unstable();
    let asked_for: Vec<usize> = asked.iter().map(|&at| positions[at]).collect();
    let mut artifacts = Vec::new();
    for (record, at) in store.nodes_at(run, &asked_for)?.into_iter().zip(asked) {
        for (place, (stage, port)) in graph.report.iter().enumerate() {
            let output = record.outputs.iter().find(|output| *stage == record.stage && *port == output.port);
            if let Some(output) = output.filter(|_| record.state == NodeState::Succeeded) {
                artifacts.push((place, artifact(store, &record, output)));
            }
        }
        nodes[at].origin = Some(origin(record));
    }
    // In the order of the list; within an entry, in the order of the graph.
    artifacts.sort_by_key(|(place, _)| *place);
    Ok(artifacts.into_iter().map(|(_, artifact)| artifact).collect())
}

fn artifact(store: &Store, node: &NodeRecord, output: &OutputRecord) -> ArtifactInput {
    ArtifactInput {
        node: node.name.clone(),
        stage: node.stage.clone(),
        operation: (node.operation.clone(), node.version),
        key: node.key,
        port: output.port.clone(),
        kind: output.kind,
        digest: output.digest,
        path: store.artifact_path(&output.digest).unwrap_or_default(),
    }
}

fn node_input(node: NodeOutline, stage: usize, started: f64) -> NodeInput {
    NodeInput {
        name: node.name,
        stage,
        state: match node.state {
            NodeState::Succeeded if node.cached => State::Cached,
            NodeState::Succeeded => State::Executed,
            NodeState::Failed => State::Failed,
            NodeState::Skipped => State::Skipped,
            NodeState::Cancelled => State::Cancelled,
        },
        error: node.error,
        warnings: Vec::new(),
        log: Vec::new(),
        started_s: (node.started - started).max(0.0),
        wall_s: node.usage.wall_s,
        cpu_s: node.usage.cpu_s,
        peak_rss: node.usage.peak_rss,
        cost: node.cost.filter(|_| node.cached).map(|cost| (cost.wall_s, cost.cpu_s)),
        bytes: node.bytes,
        series: Vec::new(),
        origin: None,
    }
}

fn origin(node: NodeRecord) -> Origin {
    Origin {
        operation: (node.operation, node.version),
        key: node.key,
        reason: node.reason,
        seed: node.seed,
        params: node.params,
        inputs: node.inputs.into_iter().map(|input| (input.port, input.from, input.digest)).collect(),
        outputs: node.outputs.into_iter().map(|o| (o.port, o.kind, o.digest, o.bytes)).collect(),
    }
}
