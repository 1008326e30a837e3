//! The crate, its workflow, the steps and tools of that, and the parameters.

use std::collections::{BTreeMap, BTreeSet};

use flow_store::RunRecord;
use serde_json::{Value, json};

use super::actions::Executed;
use super::files::Files;
use super::{METADATA, Options, plain, to, to_all};
use crate::human::Moment;

const CRATE: &str = "https://w3id.org/ro/crate/1.1";
const WORKFLOW_CRATE: &str = "https://w3id.org/workflowhub/workflow-ro-crate/1.0";
const FORMAL_PARAMETER: &str = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE";
const COMPUTATIONAL_WORKFLOW: &str = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE";

/// Profiles that the crate follows: address, name, version.
const PROFILES: [(&str, &str, &str); 4] = [
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    (WORKFLOW_CRATE, "Workflow RO-Crate", "1.0"),
];

/// The language of workflow files, and the program that runs them.
pub(super) const LANGUAGE: &str = "#flow-workflow-language";
pub(super) const ENGINE: &str = "#flow";
/// The one who ran it.
const PERSON: &str = "#person";

/// Everything that is not an action and not a file of data.
pub(super) fn crate_itself(
    run: &RunRecord,
    workflow: &str,
    options: &Options,
    nodes: &[Executed],
    files: &Files<'_>,
) -> Vec<Value> {
    let start = &run.start;
    let profiles: Vec<Value> = PROFILES.iter().map(|(id, ..)| to(id)).collect();
    let parts: Vec<String> =
        [workflow.to_owned()].into_iter().chain(files.in_crate().iter().cloned()).collect();
    let mentions: Vec<String> = std::iter::once(RUN.to_owned())
        .chain([ORGANIZATION.to_owned()])
        .chain(nodes.iter().map(Executed::id))
        .collect();
    let mut graph = vec![
        json!({
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": to("./"),
            "conformsTo": [to(CRATE), to(WORKFLOW_CRATE)],
        }),
        json!({
            "@id": "./",
            "@type": "Dataset",
            "name": format!("Run {} of the workflow {}", start.id, start.workflow),
            "description": format!(
                "The workflow {}, the results of its run {}, and where each of them comes from.",
                start.workflow, start.id
            ),
            "datePublished": time(run.finished.unwrap_or(start.started)),
            "license": license(options),
            "author": to(agent(options)),
            "conformsTo": profiles,
            "mainEntity": to(workflow),
            "hasPart": to_all(&parts),
            "mentions": to_all(&mentions),
        }),
        json!({ "@id": LANGUAGE, "@type": "ComputerLanguage", "name": "flow workflow file", "version": "1" }),
        json!({
            "@id": ENGINE,
            "@type": "SoftwareApplication",
            "name": "flow",
            "softwareVersion": start.engine,
        }),
        person(options),
    ];
    graph.extend(PROFILES.iter().map(
        |(id, name, version)| json!({ "@id": id, "@type": "CreativeWork", "name": name, "version": version }),
    ));
    if let Some(address) = options.license.as_ref().filter(|license| is_address(license)) {
        graph.push(json!({ "@id": address, "@type": "CreativeWork", "name": address }));
    }
    graph.push(main_entity(run, workflow, nodes));
    graph.extend(parameters(run, nodes));
    graph.extend(steps(nodes));
    graph.extend(tools(nodes));
    graph
}

/// The action of the run as a whole, and that of the engine.
pub(super) const RUN: &str = "#run";
pub(super) const ORGANIZATION: &str = "#engine-run";

/// The identifier of the one who ran it.
pub(super) fn agent(options: &Options) -> &str {
    options.orcid.as_deref().unwrap_or(PERSON)
}

/// An address is an entity of its own, words stand for themselves.
fn license(options: &Options) -> Value {
    match options.license.as_deref() {
        Some(address) if is_address(address) => to(address),
        Some(words) => words.into(),
        None => "not stated".into(),
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn person(options: &Options) -> Value {
    let name = options.author.clone().unwrap_or_else(|| "not stated".to_owned());
    json!({ "@id": agent(options), "@type": "Person", "name": name })
}

fn main_entity(run: &RunRecord, workflow: &str, nodes: &[Executed]) -> Value {
    let inputs: Vec<String> = run.start.params.keys().map(|name| parameter(name)).collect();
    let outputs: BTreeSet<String> = nodes.iter().flat_map(outputs).collect();
    let steps: Vec<String> = stages(nodes).into_iter().map(|(stage, _)| step(&stage)).collect();
    let tools: Vec<String> = operations(nodes).into_keys().map(|name| tool(&name)).collect();
    json!({
        "@id": workflow,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": run.start.workflow,
        "encodingFormat": "application/yaml",
        "conformsTo": to(COMPUTATIONAL_WORKFLOW),
        "programmingLanguage": to(LANGUAGE),
        // The text itself: there is no other version of a file that is not under version control.
        "version": flow_plugin::Digest::of(run.start.source.as_bytes()).short(),
        "input": to_all(&inputs),
        "output": to_all(&outputs),
        "hasPart": to_all(&tools),
        "step": to_all(&steps),
    })
}

/// What the workflow takes, with the values of this run, and what it gives.
fn parameters(run: &RunRecord, nodes: &[Executed]) -> Vec<Value> {
    let mut graph = Vec::new();
    for (name, value) in &run.start.params {
        let kind = match value {
            Value::Bool(_) => "Boolean",
            Value::Number(number) if number.is_f64() => "Float",
            Value::Number(_) => "Integer",
            Value::String(_) => "Text",
            _ => "PropertyValue",
        };
        graph.push(json!({
            "@id": parameter(name),
            "@type": "FormalParameter",
            "additionalType": kind,
            "conformsTo": to(FORMAL_PARAMETER),
            "name": name,
        }));
        graph.push(json!({
            "@id": value_of(name),
            "@type": "PropertyValue",
            "exampleOfWork": to(&parameter(name)),
            "name": name,
            "value": text(value),
        }));
    }
    let mut known = BTreeSet::new();
    for node in nodes {
        for (output, id) in node.record.outputs.iter().zip(outputs(node)) {
            if known.insert(id.clone()) {
                graph.push(json!({
                    "@id": id,
                    "@type": "FormalParameter",
                    "additionalType": if output.kind.to_string() == "file" { "File" } else { "Dataset" },
                    "conformsTo": to(FORMAL_PARAMETER),
                    "name": format!("{}.{}", node.record.stage, output.port),
                }));
            }
        }
    }
    graph
}

fn steps(nodes: &[Executed]) -> Vec<Value> {
    let step = |(at, (stage, operation)): (usize, (String, String))| {
        json!({
            "@id": step(&stage),
            "@type": "HowToStep",
            "name": stage,
            "position": (at + 1).to_string(),
            "workExample": to(&tool(&operation)),
        })
    };
    stages(nodes).into_iter().enumerate().map(step).collect()
}

fn tools(nodes: &[Executed]) -> Vec<Value> {
    let tool = |(name, version): (String, u32)| {
        json!({
            "@id": tool(&name),
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version.to_string(),
        })
    };
    operations(nodes).into_iter().map(tool).collect()
}

/// The stages with nodes that ran, in the order of the file, with their operations.
fn stages(nodes: &[Executed]) -> Vec<(String, String)> {
    let mut stages: Vec<(String, String)> = Vec::new();
    for node in nodes {
        if !stages.iter().any(|(stage, _)| *stage == node.record.stage) {
            stages.push((node.record.stage.clone(), node.record.operation.clone()));
        }
    }
    stages
}

fn operations(nodes: &[Executed]) -> BTreeMap<String, u32> {
    nodes.iter().map(|node| (node.record.operation.clone(), node.record.version)).collect()
}

fn outputs(node: &Executed) -> Vec<String> {
    node.record.outputs.iter().map(|output| output_of(&node.record.stage, &output.port)).collect()
}

/// What a stage gives, of which its nodes' results are examples.
pub(super) fn output_of(stage: &str, port: &str) -> String {
    format!("#output-{}.{}", plain(stage), plain(port))
}

fn parameter(name: &str) -> String {
    format!("#param-{}", plain(name))
}

/// The identifier of the value that a parameter of the workflow has.
pub(super) fn value_of(name: &str) -> String {
    format!("#value-{}", plain(name))
}

pub(super) fn step(stage: &str) -> String {
    format!("#step-{}", plain(stage))
}

pub(super) fn tool(operation: &str) -> String {
    format!("#tool-{}", plain(operation))
}

/// A value as a text: lists and mappings as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A moment as ISO 8601 has it.
pub(super) fn time(unix: f64) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(unix);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}
