//! The table of nodes.

use std::fmt::Write;

use flow_figure::escape;
use serde_json::Value;

use super::{NodeInput, Origin, ReportInput, State};
use crate::human::{bytes, duration};

/// Of stages with more nodes, only those are listed that failed or took longest.
const LISTED: usize = 60;

/// A table for each stage: a line a node, which opens to show where its results come from.
pub(super) fn table(input: &ReportInput) -> String {
    let mut html = String::from(
        "<table class=\"nodes sortable\"><thead><tr><th>node</th><th>state</th><th>why</th>\
         <th class=\"n\">wall</th><th class=\"n\">CPU</th><th class=\"n\">memory</th><th class=\"n\">output</th>\
         </tr></thead>",
    );
    for (stage, (info, nodes)) in
        input.stages.iter().zip(of_stages(&input.nodes, input.stages.len())).enumerate()
    {
        // Writing to a string cannot fail, here and below.
        let _ = write!(html, "<tbody id=\"stage-{stage}\">");
        let all: Vec<&NodeInput> = nodes.iter().map(|&at| &input.nodes[at]).collect();
        let listed = listed(&input.nodes, nodes);
        if all.len() > 1 {
            group(&mut html, &info.name, &all, listed.len());
        }
        listed.iter().for_each(|&at| line(&mut html, &input.nodes[at]));
        html.push_str("</tbody>");
    }
    html + "</table>"
}

/// The places of the nodes of each stage. Those that became known while the run went on stand behind all others.
pub(super) fn of_stages(nodes: &[NodeInput], stages: usize) -> Vec<Vec<usize>> {
    let mut of_stages = vec![Vec::new(); stages];
    for (at, node) in nodes.iter().enumerate() {
        of_stages[node.stage].push(at);
    }
    of_stages
}

/// Those of a stage's nodes that the page lists.
pub(super) fn listed(nodes: &[NodeInput], mut of_stage: Vec<usize>) -> Vec<usize> {
    if of_stage.len() > LISTED {
        of_stage.sort_by(|&a, &b| {
            let (a, b) = (&nodes[a], &nodes[b]);
            a.state.cmp(&b.state).then(b.wall_s.total_cmp(&a.wall_s))
        });
        of_stage.truncate(LISTED);
    }
    of_stage
}

fn group(html: &mut String, stage: &str, nodes: &[&NodeInput], listed: usize) {
    let wall: f64 = nodes.iter().map(|node| node.wall_s).sum();
    let cpu: f64 = nodes.iter().map(|node| node.cpu_s).sum();
    let memory = nodes.iter().map(|node| node.peak_rss).max().unwrap_or(0);
    let size: u64 = nodes.iter().map(|node| node.bytes).sum();
    let states: Vec<String> =
        [State::Executed, State::Cached, State::Failed, State::Skipped, State::Cancelled]
            .into_iter()
            .map(|state| (nodes.iter().filter(|node| node.state == state).count(), state.name()))
            .filter(|(n, _)| *n > 0)
            .map(|(n, name)| format!("{n} {name}"))
            .collect();
    let rest =
        if listed < nodes.len() { format!("; {listed} listed: failed and slowest") } else { String::new() };
    let _ = write!(
        html,
        "<tr class=\"group\"><th scope=\"rowgroup\">{}</th><td colspan=\"2\">{} nodes: {}{rest}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        escape(stage),
        nodes.len(),
        states.join(", "),
        duration(wall),
        duration(cpu),
        memory_text(memory),
        bytes(size),
    );
}

fn line(html: &mut String, node: &NodeInput) {
    let (wall, cpu) = match node.cost {
        // What it cost when it was computed, so that the table tells where the time went also when all is cached.
        Some((wall, cpu)) => (format!("<i>{}</i>", duration(wall)), format!("<i>{}</i>", duration(cpu))),
        None if node.wall_s > 0.0 => (duration(node.wall_s), duration(node.cpu_s)),
        None => (String::new(), String::new()),
    };
    let sort = |value: f64| format!(" data-v=\"{value:.6}\"");
    let (wall_s, cpu_s) = node.cost.unwrap_or((node.wall_s, node.cpu_s));
    let _ = write!(
        html,
        "<tr><td><details><summary>{}</summary>{}</details></td>\
         <td><span class=\"pill {state}\">{state}</span></td><td class=\"why\">{}</td>",
        escape(&node.name),
        node.origin.as_ref().map_or_else(String::new, |origin| provenance(origin, node.error.as_deref())),
        escape(node.origin.as_ref().map_or("", |origin| &origin.reason)),
        state = node.state.name(),
    )
    .and_then(|()| {
        write!(
            html,
            "<td class=\"n\"{}>{wall}</td><td class=\"n\"{}>{cpu}</td><td class=\"n\"{}>{}</td><td class=\"n\"{}>{}</td></tr>",
            sort(wall_s),
            sort(cpu_s),
            sort(node.peak_rss as f64),
            memory_text(node.peak_rss),
            sort(node.bytes as f64),
            if node.bytes == 0 { String::new() } else { bytes(node.bytes) },
        )
    });
}

fn memory_text(peak: u64) -> String {
    if peak == 0 { String::new() } else { bytes(peak) }
}

/// Where a node's results come from: operation, parameters, inputs, outputs, key.
pub(super) fn provenance(node: &Origin, error: Option<&str>) -> String {
    let mut html = String::from("<dl>");
    let mut item = |name: &str, value: &str| {
        let _ = write!(html, "<dt>{name}</dt><dd>{value}</dd>");
    };
    item("operation", &format!("<code>{}</code> version {}", escape(&node.operation.0), node.operation.1));
    if let Some(error) = error {
        item("error", &format!("<pre class=\"error\">{}</pre>", escape(error)));
    }
    if node.params.as_object().is_some_and(|params| !params.is_empty()) {
        item("parameters", &params(&node.params));
    }
    if node.seed != 0 {
        item("seed", &node.seed.to_string());
    }
    if !node.inputs.is_empty() {
        let mut list = String::from("<ul>");
        for (port, from, digest) in node.inputs.iter().take(50) {
            let (port, from) = (escape(port), escape(from));
            let _ =
                write!(list, "<li>{port} ← {from} <code title=\"{digest}\">{}</code></li>", digest.short());
        }
        if node.inputs.len() > 50 {
            let _ = write!(list, "<li>and {} more</li>", node.inputs.len() - 50);
        }
        item("inputs", &(list + "</ul>"));
    }
    if !node.outputs.is_empty() {
        let mut list = String::from("<ul>");
        for (port, kind, digest, size) in &node.outputs {
            let (port, digits, size) = (escape(port), digest.short(), bytes(*size));
            let _ = write!(list, "<li>{port}: {kind}, {size} <code title=\"{digest}\">{digits}</code></li>");
        }
        item("outputs", &(list + "</ul>"));
    }
    if let Some(key) = &node.key {
        item("key", &format!("<code>{key}</code>"));
    }
    html + "</dl>"
}

/// Parameters as `name: value` lines.
pub(super) fn params(value: &Value) -> String {
    let mut lines = String::new();
    flatten(value, String::new(), &mut lines);
    format!("<pre>{}</pre>", escape(lines.trim_end()))
}

fn flatten(value: &Value, name: String, lines: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(member, format!("{name}{dot}{key}"), lines);
            }
        }
        Value::String(text) => {
            let _ = writeln!(lines, "{name}: {text}");
        }
        other => {
            let _ = writeln!(lines, "{name}: {other}");
        }
    }
}
