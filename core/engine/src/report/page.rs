//! The page as a whole.

use std::fmt::Write;

use flow_figure::escape;
use flow_plugin::Digest;

use super::{NodeInput, ReportInput, State, Status, lineage, nodes, results, series, timeline};
use crate::human::{bytes, duration, moment};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The HTML document.
pub(super) fn page(input: &ReportInput) -> String {
    let mut sections: Vec<(&str, &str, String)> = Vec::new();
    let troubles = troubles(input);
    if !troubles.is_empty() {
        sections.push(("attention", "Needs attention", troubles));
    }
    if !input.artifacts.is_empty() {
        sections.push(("results", "Results", results::sections(&input.artifacts)));
    }
    let charts = series::charts(input);
    if !charts.is_empty() {
        let images =
            charts.iter().map(|chart| results::image("svg+xml", chart.svg.as_bytes(), "", &chart.title));
        let images: String = images.collect();
        sections.push(("curves", "Curves", format!("<div class=\"figures\">{images}</div>")));
    }
    let graph = format!("{LEGEND}<div class=\"scroll\">{}</div>", lineage::svg(input));
    sections.push(("graph", "Stages", graph));
    if let Some(timeline) = timeline::svg(input) {
        sections.push(("timeline", "Timeline", timeline));
    }
    let note = if input.nodes.iter().any(|node| node.cost.is_some()) {
        "<p class=\"note\">Times in italics were spent when the result was computed, in an earlier run.</p>"
    } else {
        ""
    };
    sections.push(("nodes", "Nodes", format!("<div class=\"scroll\">{}</div>{note}", nodes::table(input))));
    sections.push(("provenance", "Provenance", provenance(input)));

    let mut body = header(input, &sections);
    body.push_str("<main>");
    for (id, title, content) in &sections {
        // Writing to a string cannot fail.
        let _ = write!(body, "<section id=\"{id}\"><h2>{title}</h2>{content}</section>");
    }
    body.push_str("</main><footer>Written by flow. This page needs no network.</footer>");

    // Only the script below may run. Its nonce depends on all of the page, so nothing that is shown in the
    // page can know it.
    let nonce = Digest::of(body.as_bytes()).short();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body>{body}<script nonce=\"{nonce}\">{SCRIPT}</script></body></html>\n",
        title = escape(&format!("{} · {}", input.workflow, input.run)),
    )
}

const LEGEND: &str = "<p class=\"legend\"><span class=\"dot executed\"></span>executed \
    <span class=\"dot cached\"></span>cached <span class=\"dot failed\"></span>failed \
    <span class=\"dot skipped\"></span>skipped or cancelled</p>";

fn header(input: &ReportInput, sections: &[(&str, &str, String)]) -> String {
    let count = |state: State| input.nodes.iter().filter(|node| node.state == state).count();
    let status = match input.status {
        Status::Succeeded if !input.nodes.is_empty() && count(State::Cached) == input.nodes.len() => {
            "everything was cached"
        }
        status => status.name(),
    };
    let mut html = format!(
        "<header><div class=\"head\"><div><h1>{}<span class=\"status {}\">{status}</span></h1><p class=\"about\">{}</p></div>\
         </div><div class=\"tiles\">",
        escape(&input.workflow),
        input.status.name(),
        escape(&input.description),
    );
    let mut tile = |value: &str, name: &str, class: &str| {
        let _ = write!(html, "<div class=\"tile {class}\"><b>{value}</b><span>{name}</span></div>");
    };
    tile(&count(State::Executed).to_string(), "executed", "");
    tile(&count(State::Cached).to_string(), "cached", "");
    if count(State::Failed) > 0 {
        tile(&count(State::Failed).to_string(), "failed", "bad");
    }
    let not_run = count(State::Skipped) + count(State::Cancelled);
    if not_run > 0 {
        tile(&not_run.to_string(), "not run", "");
    }
    tile(&duration(input.wall_s), "wall time", "");
    tile(&duration(input.nodes.iter().map(|node| node.cpu_s).sum()), "CPU time", "");
    let spent = |node: &NodeInput| node.cost.map_or(0.0, |cost| cost.0);
    let saved: f64 = input.nodes.iter().map(spent).sum();
    if saved >= 0.001 {
        tile(&duration(saved), "saved by the cache", "");
    }
    let memory = input.nodes.iter().map(|node| node.peak_rss).max().unwrap_or(0);
    if memory > 0 {
        tile(&bytes(memory), "peak memory of a node", "");
    }
    let _ = write!(
        html,
        "</div><p class=\"when\">{} · run <code>{}</code>{}</p><nav>",
        moment(input.started),
        escape(&input.run),
        if input.command.is_empty() {
            String::new()
        } else {
            format!(" · <code>{}</code>", escape(&input.command))
        },
    );
    for (id, title, _) in sections {
        let _ = write!(html, "<a href=\"#{id}\">{title}</a>");
    }
    html + "</nav></header>"
}

/// Failures and warnings.
fn troubles(input: &ReportInput) -> String {
    /// More of them would hide the rest of the page.
    const SHOWN: usize = 30;
    let mut items = Vec::new();
    for node in &input.nodes {
        if let Some(error) = &node.error {
            items.push(("bad", &node.name, error, node.log.as_slice()));
        }
        items.extend(node.warnings.iter().map(|warning| ("warning", &node.name, warning, [].as_slice())));
    }
    if items.is_empty() {
        return String::new();
    }
    items.sort_by_key(|item| item.0 != "bad");
    let mut html = String::new();
    for (class, node, message, log) in items.iter().take(SHOWN) {
        let _ = write!(
            html,
            "<div class=\"trouble {class}\"><b>{}</b><pre>{}</pre>",
            escape(node),
            escape(message.trim())
        );
        if !log.is_empty() {
            let text = escape(&log.join("\n"));
            let _ = write!(
                html,
                "<details open><summary>the end of its log</summary><pre>{text}</pre></details>"
            );
        }
        html.push_str("</div>");
    }
    if items.len() > SHOWN {
        let _ = write!(html, "<p class=\"note\">And {} more.</p>", items.len() - SHOWN);
    }
    html
}

/// What the whole run depended on. What each node depended on stands with the node.
fn provenance(input: &ReportInput) -> String {
    let mut html = String::from("<div class=\"columns\"><div><h3>Run</h3><dl>");
    for (name, value) in &input.facts {
        let _ = write!(html, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    html.push_str("</dl></div>");
    if !input.params.is_empty() {
        let _ = write!(html, "<div><h3>Parameters</h3>{}</div>", nodes::params(&input.params.clone().into()));
    }
    html.push_str("</div>");
    if !input.artifacts.is_empty() {
        html.push_str(
            "<h3>Where the results come from</h3><div class=\"scroll\"><table><thead><tr><th>result</th>\
             <th>operation</th><th>digest</th><th>key</th></tr></thead><tbody>",
        );
        for artifact in &input.artifacts {
            let short = |d: Digest| format!("<code title=\"{d}\">{}</code>", d.short());
            let _ = write!(
                html,
                "<tr><td>{}.{}</td><td><code>{}</code> version {}</td><td>{}</td><td>{}</td></tr>",
                escape(&artifact.node),
                escape(&artifact.port),
                escape(&artifact.operation.0),
                artifact.operation.1,
                short(artifact.digest),
                artifact.key.map_or_else(String::new, short),
            );
        }
        html.push_str("</tbody></table></div>");
    }
    html + "<p class=\"note\">A key names a computation: operation, version, parameters, seed and the digests of \
            everything it read. Equal keys give equal results. The nodes above open to show theirs.</p>"
}
