//! What was done: the run, and each node of it.

use std::collections::HashMap;

use flow_store::{InputRecord, NodeRecord, NodeState, RunRecord, RunStatus, Store};
use serde_json::{Value, json};

use super::entities::{ENGINE, ORGANIZATION, RUN, agent, step, text, time, tool, value_of};
use super::files::{Files, extend};
use super::{Error, Options, to, to_all};

const COMPLETED: &str = "http://schema.org/CompletedActionStatus";
const FAILED: &str = "http://schema.org/FailedActionStatus";

/// A node that has come to an end.
pub(super) struct Executed {
    pub(super) record: NodeRecord,
    /// Where its result was in the store already: the run that computed it.
    earlier: Option<String>,
    /// When it was computed, and what that took in wall seconds.
    started: f64,
    wall_s: f64,
}

impl Executed {
    pub(super) fn id(&self) -> String {
        format!("#node-{}", self.record.position)
    }

    /// What it read.
    pub(super) fn reads(&self) -> impl Iterator<Item = &InputRecord> {
        self.record.inputs.iter()
    }

    /// What others call its results.
    pub(super) fn results(&self) -> impl Iterator<Item = String> {
        self.record.outputs.iter().map(|output| format!("{}.{}", self.record.name, output.port))
    }
}

/// The nodes of a run that were computed, in this run or before, or failed.
pub(super) fn executed(store: &Store, run: &str) -> Result<Vec<Executed>, Error> {
    let mut others: HashMap<String, Vec<NodeRecord>> = HashMap::new();
    let mut nodes = Vec::new();
    for record in store.nodes(run)? {
        if !matches!(record.state, NodeState::Succeeded | NodeState::Failed) {
            continue;
        }
        let (mut started, mut wall_s, mut earlier) = (record.started, record.wall_s, None);
        let producer = match record.key.filter(|_| record.cached) {
            Some(key) => store.computed_by(&key)?,
            None => None,
        };
        if let Some(producer) = producer {
            if !others.contains_key(&producer.run) {
                others.insert(producer.run.clone(), store.nodes(&producer.run)?);
            }
            let original = others[&producer.run].iter().find(|node| node.name == producer.node);
            if let Some(original) = original {
                (started, wall_s) = (original.started, original.wall_s);
            }
            earlier = Some(producer.run);
        }
        nodes.push(Executed { record, earlier, started, wall_s });
    }
    Ok(nodes)
}

/// The run as an action of the workflow, and what the engine did to carry it out.
pub(super) fn of_the_run(
    run: &RunRecord,
    workflow: &str,
    options: &Options,
    nodes: &[Executed],
    files: &Files<'_>,
) -> Vec<Value> {
    let start = &run.start;
    let end = run.finished.unwrap_or(start.started);
    let made: Vec<String> = nodes.iter().flat_map(Executed::results).collect();
    let external = nodes.iter().flat_map(Executed::reads).filter(|input| !made.contains(&input.from));
    let mut objects: Vec<String> = start.params.keys().map(|name| value_of(name)).collect();
    objects.extend(external.filter_map(|input| files.id(&input.digest).cloned()));
    let outputs = nodes.iter().flat_map(|node| &node.record.outputs);
    let mut results: Vec<String> = outputs.filter_map(|output| files.id(&output.digest).cloned()).collect();
    for list in [&mut objects, &mut results] {
        list.sort();
        list.dedup();
    }
    let controls: Vec<String> = nodes.iter().map(control).collect();
    let machine = &start.machine;
    let mut action = json!({
        "@id": RUN,
        "@type": "CreateAction",
        "name": format!("Run {} of {}", start.id, start.workflow),
        "description": format!("flow {}, on {} ({}, {} cores)", start.command, machine.host, machine.cpu, machine.cores),
        "agent": to(agent(options)),
        "instrument": to(workflow),
        "object": to_all(&objects),
        "result": to_all(&results),
        "startTime": time(start.started),
        "endTime": time(end),
        "actionStatus": if run.status == RunStatus::Succeeded { COMPLETED } else { FAILED },
    });
    if run.status != RunStatus::Succeeded {
        extend(&mut action, json!({ "error": format!("the run ended as: {}", run.status) }));
    }
    let organization = json!({
        "@id": ORGANIZATION,
        "@type": "OrganizeAction",
        "name": format!("flow {} carries out run {}", start.engine, start.id),
        "description": "Finds what has to be computed, and has it done in the order of the workflow.",
        "agent": to(agent(options)),
        "instrument": to(ENGINE),
        "object": to_all(&controls),
        "result": to(RUN),
        "startTime": time(start.started),
        "endTime": time(end),
    });
    vec![action, organization]
}

fn control(node: &Executed) -> String {
    format!("#control-{}", node.record.position)
}

/// The node as an action of its operation, with its parameters, and what ties it to its step.
pub(super) fn of_a_node(node: &Executed, options: &Options, files: &Files<'_>) -> Vec<Value> {
    let record = &node.record;
    let id = node.id();
    let mut graph = Vec::new();
    let mut objects: Vec<String> =
        record.inputs.iter().filter_map(|input| files.id(&input.digest).cloned()).collect();
    objects.dedup();
    for (at, (name, value)) in settings(record).into_iter().enumerate() {
        let value = json!({ "@id": format!("{id}-param-{at}"), "@type": "PropertyValue", "name": name, "value": value });
        objects.push(format!("{id}-param-{at}"));
        graph.push(value);
    }
    let results: Vec<String> =
        record.outputs.iter().filter_map(|output| files.id(&output.digest).cloned()).collect();
    let why = match &node.earlier {
        Some(run) => format!("Its result was in the store already, from run {run}."),
        None => format!("It ran because: {}.", record.reason),
    };
    let mut action = json!({
        "@id": id,
        "@type": "CreateAction",
        "name": record.name,
        "description": why,
        "agent": to(agent(options)),
        "instrument": to(&tool(&record.operation)),
        "object": to_all(&objects),
        "result": to_all(&results),
        "startTime": time(node.started),
        "endTime": time(node.started + node.wall_s),
        "actionStatus": if record.state == NodeState::Succeeded { COMPLETED } else { FAILED },
    });
    if let Some(error) = record.error.as_ref().filter(|_| record.state == NodeState::Failed) {
        extend(&mut action, json!({ "error": error }));
    }
    let cost = record.cost.map_or((record.cpu_s, record.peak_rss), |cost| (cost.cpu_s, cost.peak_rss));
    let usage = [
        ("cpu", "CPU time", format!("{:.3}", cost.0), "SEC"),
        ("memory", "peak memory", cost.1.to_string(), "AD"),
    ];
    let mut used = Vec::new();
    for (what, name, value, unit) in usage {
        let usage = format!("{id}-{what}");
        // The units are codes of UN/CEFACT: seconds and bytes.
        graph.push(json!({
            "@id": usage,
            "@type": "PropertyValue",
            "name": name,
            "propertyID": format!("#usage-{what}"),
            "unitCode": unit,
            "value": value,
        }));
        used.push(usage);
    }
    extend(&mut action, json!({ "resourceUsage": to_all(&used) }));
    graph.push(action);
    graph.push(json!({
        "@id": control(node),
        "@type": "ControlAction",
        "name": format!("{} as a part of {}", record.name, record.stage),
        "instrument": to(&step(&record.stage)),
        "object": to(&id),
    }));
    graph
}

/// The parameters of a node and its seed, each as a text.
fn settings(record: &NodeRecord) -> Vec<(String, String)> {
    let params = record.params.as_object().into_iter().flatten();
    let mut all: Vec<(String, String)> = params.map(|(name, value)| (name.clone(), text(value))).collect();
    if record.seed != 0 && !all.iter().any(|(name, _)| name == "seed") {
        all.push(("seed".to_owned(), record.seed.to_string()));
    }
    all
}
