//! The documentation of one operation.

use std::fmt::Write;

use flow_engine::describe::{self, Parameter};
use flow_plugin::{Multiplicity, Plugin, Port, Spec};
use serde_json::Value;

use super::text::{BOLD, DIM, RESET};

/// Long descriptions are broken at this column.
const WIDTH: usize = 96;

/// Everything a workflow author needs to know about an operation.
pub(crate) fn document(spec: &Spec, plugin: Option<&Plugin>) -> String {
    let mut out = String::new();
    let from = plugin.map(|p| format!(", plugin {} {}", p.name(), p.version())).unwrap_or_default();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(out, "{BOLD}{}{RESET}  {DIM}version {}{from}{RESET}", spec.name, spec.version);
    let _ = writeln!(out, "{}", spec.summary);
    if !spec.doc.trim().is_empty() {
        out.push('\n');
        markdown(&mut out, spec.doc.trim());
    }
    let traits = [
        (spec.measures, "It measures time: nothing else of the run goes beside it.".to_owned()),
        (spec.checkpoints, "It saves checkpoints, and goes on from them when it is interrupted.".to_owned()),
        (
            spec.extendable.is_some(),
            format!(
                "A larger `{}` goes on from the end of a smaller one, where the result is the same.",
                spec.extendable.as_deref().unwrap_or_default()
            ),
        ),
    ];
    let traits: Vec<&str> =
        traits.iter().filter(|(holds, _)| *holds).map(|(_, text)| text.as_str()).collect();
    if !traits.is_empty() {
        let _ = writeln!(out, "\n{}", traits.join("\n"));
    }
    ports(&mut out, "Inputs", &spec.inputs);
    ports(&mut out, "Outputs", &spec.outputs);
    let parameters = describe::parameters(spec);
    if !parameters.is_empty() {
        let _ = writeln!(out, "\n{BOLD}Parameters{RESET}");
        list(&mut out, &parameters, 2);
    }
    example(&mut out, spec, &parameters);
    out
}

fn ports(out: &mut String, title: &str, ports: &[Port]) {
    if ports.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{BOLD}{title}{RESET}");
    let width = ports.iter().map(|port| port.name.len()).max().unwrap_or(0);
    for port in ports {
        let mut kind = port.kind.to_string();
        if port.multiplicity == Multiplicity::Many {
            kind = format!("collection of {kind}s");
        }
        if let Some(nominal) = &port.nominal {
            let _ = write!(kind, " {nominal}");
        }
        if port.optional {
            kind.push_str(", optional");
        }
        let _ = writeln!(out, "  {BOLD}{:<width$}{RESET}  {DIM}{kind}{RESET}", port.name);
        wrapped(out, &port.doc, width + 4);
        let names = port.variables.iter().map(|v| v.name.len()).max().unwrap_or(0);
        for variable in &port.variables {
            let _ = writeln!(
                out,
                "{:indent$}{:<names$}  {DIM}{} ({}) in {}{RESET}",
                "",
                variable.name,
                variable.dtype,
                variable.dims.join(", "),
                variable.units,
                indent = width + 4
            );
        }
    }
}

fn list(out: &mut String, parameters: &[Parameter], indent: usize) {
    let width = parameters.iter().map(|parameter| parameter.name.len()).max().unwrap_or(0);
    for parameter in parameters {
        let status = match (&parameter.default, parameter.required) {
            (_, true) => "required".to_owned(),
            (Some(Value::Null) | None, false) => "optional".to_owned(),
            // Its fields show theirs.
            (Some(Value::Object(_)), false) if !parameter.fields.is_empty() => "optional".to_owned(),
            (Some(default), false) => format!("default {}", short(default)),
        };
        let _ = writeln!(
            out,
            "{:indent$}{BOLD}{:<width$}{RESET}  {}  {DIM}{status}{RESET}",
            "", parameter.name, parameter.accepts
        );
        let inner = indent + width + 2;
        wrapped(out, &parameter.doc, inner);
        if parameter.choices.iter().any(|(_, doc)| !doc.is_empty()) {
            let names = parameter.choices.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, doc) in &parameter.choices {
                let _ = writeln!(out, "{:inner$}{name:<names$}  {DIM}{doc}{RESET}", "");
            }
        }
        list(out, &parameter.fields, indent + 2);
        for variant in &parameter.variants {
            let inner = indent + 2;
            let _ =
                writeln!(out, "{:inner$}{BOLD}{}{RESET}  {DIM}{}{RESET}", "", variant.chosen_by, variant.doc);
            list(out, &variant.fields, indent + 4);
        }
    }
}

fn short(value: &Value) -> String {
    const LONGEST: usize = 48;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST - 1).collect();
    format!("{head}…")
}

/// Markdown as it is, but with long lines broken. Code keeps its lines.
fn markdown(out: &mut String, text: &str) {
    let mut code = false;
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        if code || fence || line.starts_with("    ") || line.starts_with('|') || line.trim().is_empty() {
            let _ = writeln!(out, "{}", line.trim_end());
        } else if let Some(item) = line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")) {
            let mut body = String::new();
            wrapped(&mut body, item, 2);
            if !body.is_empty() {
                body.replace_range(..1, "*");
            }
            out.push_str(&body);
        } else {
            wrapped(out, line, 0);
        }
    }
}

fn wrapped(out: &mut String, text: &str, indent: usize) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{:indent$}{line}", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

/// A stage to start from: the inputs and parameters that it must have.
fn example(out: &mut String, spec: &Spec, parameters: &[Parameter]) {
    let verb = spec.name.split('/').next_back().unwrap_or(&spec.name);
    let _ = writeln!(out, "\n{BOLD}Example{RESET}\n  {verb}:\n    uses: {}", spec.name);
    let inputs: Vec<String> = spec
        .inputs
        .iter()
        .filter(|port| !port.optional)
        .map(|port| match port.multiplicity {
            Multiplicity::One => format!("{}: STAGE.{}", port.name, port.name),
            Multiplicity::Many => format!("{}: [STAGE.{}]", port.name, port.name),
        })
        .collect();
    if !inputs.is_empty() {
        let _ = writeln!(out, "    inputs: {{ {} }}", inputs.join(", "));
    }
    let with: Vec<String> = parameters
        .iter()
        .filter(|parameter| parameter.required)
        .map(|parameter| match parameter.variants.first() {
            Some(variant) => format!("{}: {{ {} }}", parameter.name, variant.chosen_by),
            None => match parameter.choices.first() {
                Some((choice, _)) => format!("{}: {choice}", parameter.name),
                None => format!("{}: …", parameter.name),
            },
        })
        .collect();
    if !with.is_empty() {
        let _ = writeln!(out, "    with: {{ {} }}", with.join(", "));
    }
}
