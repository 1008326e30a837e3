//! The JSON Schema of workflow files, for editors.

use flow_plugin::{Kind, Multiplicity, Spec};
use serde_json::{Map, Value, json};

use super::file::FORMAT;
use crate::catalog::Catalog;
use crate::exec;
use crate::expr::FUNCTIONS;

/// The JSON Schema (draft 2020-12) of workflow files that use these operations. Every parameter, input and
/// output is documented; wherever a value may stand, an expression may stand too.
#[must_use]
pub fn json_schema(catalog: &Catalog) -> Value {
    let specs: Vec<&Spec> = catalog.names().filter_map(|name| catalog.get(name)).collect();
    let names: Vec<Value> =
        specs.iter().map(|spec| json!({ "const": spec.name, "description": spec.summary })).collect();
    let conditions: Vec<Value> = specs.iter().map(|spec| condition(spec)).collect();
    let functions: Vec<String> =
        FUNCTIONS.iter().map(|(_, usage, meaning)| format!("- `{usage}`: {meaning}")).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flow workflow",
        "description": "A scientific experiment: parameters, and stages that use operations.",
        "type": "object",
        "additionalProperties": false,
        "required": ["flow", "stages"],
        "properties": {
            "flow": { "const": FORMAT, "description": "The version of this format." },
            "name": {
                "type": "string",
                "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$",
                "description": "The workflow's name; the file's name without it."
            },
            "description": { "type": "string", "description": "What the experiment is for." },
            "params": {
                "type": "object",
                "description": "Named values, used as `${{ params.NAME }}` and set with `--set NAME=VALUE`.",
                "additionalProperties": true
            },
            "profiles": {
                "type": "object",
                "description": "Named sets of changes to `params`, chosen with `--profile NAME`.",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": { "params": { "type": "object" } }
                }
            },
            "plugins": {
                "type": "object",
                "description": "Operations of the workflow's own, by plugin.",
                "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" },
                "additionalProperties": { "anyOf": [plugin_in_python(), plugin_of_command()] }
            },
            "include": {
                "type": "object",
                "description": "Other workflow files, by the prefix that their stages and parameters get.",
                "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" },
                "additionalProperties": { "$ref": "#/$defs/include" }
            },
            "stages": {
                "type": "object",
                "description": "The stages by name.",
                "minProperties": 1,
                "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" },
                "additionalProperties": {
                    "if": { "required": ["repeat"] },
                    "then": { "$ref": "#/$defs/loop" },
                    "else": { "$ref": "#/$defs/stage" }
                }
            },
            "report": {
                "type": "array",
                "description": "The outputs that the run report shows, in order.",
                "items": { "$ref": "#/$defs/reference" }
            }
        },
        "$defs": {
            "expression": {
                "type": "string",
                "pattern": "\\$\\{\\{.*\\}\\}",
                "description": format!(
                    "An expression over `params`, `matrix`, `seed` and `resources`. Functions:\n{}",
                    functions.join("\n")
                )
            },
            "reference": {
                "type": "string",
                "pattern": "^[^.\\s]+(\\.[^.\\s]+)+$",
                "description": "An output, `stage.port`; or `matrix.AXIS`, the entry of a folder that an axis stands for."
            },
            "external": {
                "type": "object",
                "description": "A file or folder, hashed by content, relative to this file. A pattern such as \
                                `data/*.csv` is a collection of all files that match.",
                "additionalProperties": false,
                "required": ["path"],
                "properties": { "path": { "type": "string" } }
            },
            "connection": {
                "description": "What an input is connected to.",
                "anyOf": [one(), many(), {
                    "type": "object",
                    "description": "Of a program: a dataset in another form.",
                    "additionalProperties": false,
                    "required": ["from", "as"],
                    "properties": {
                        "from": { "anyOf": [one(), many()] },
                        "as": { "enum": exec::Form::ALL.map(exec::Form::name) }
                    }
                }]
            },
            "axes": {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [
                        { "type": "array", "minItems": 1 },
                        expression(),
                        { "$ref": "#/$defs/source" },
                        { "$ref": "#/$defs/from" }
                    ]
                }
            },
            "source": {
                "type": "object",
                "description": "One value a file, with `.path` and `.stem`, or one a row of a table, with its \
                                columns.",
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    "files": { "type": "string", "description": "A pattern such as `data/*.csv`." },
                    "rows": { "type": "string", "description": "A table: CSV, TSV or Parquet." }
                }
            },
            "from": {
                "type": "object",
                "description": "One value an entry of a folder that a stage puts out, with `.name` and `.stem`, or \
                                one an item of a JSON list.",
                "additionalProperties": false,
                "required": ["from"],
                "properties": {
                    "from": { "$ref": "#/$defs/reference" },
                    "key": { "type": "string", "description": "Where the list is in a JSON object." }
                }
            },
            "include": {
                "anyOf": [
                    { "type": "string", "description": "The path of a workflow file." },
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["path"],
                        "properties": {
                            "path": { "type": "string", "description": "The path of a workflow file." },
                            "params": { "type": "object", "description": "Values for its parameters." },
                            "profile": { "type": "string", "description": "One of its profiles." }
                        }
                    }
                ]
            },
            "loop": repeat(),
            "stage": stage(names, conditions)
        }
    })
}

const STARTS: &str = "How long it may take to start, such as `5 min`; `60 s` without it.";

fn plugin_in_python() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["python"],
        "properties": {
            "python": {
                "type": "string",
                "description": "A file, a folder with an `__init__.py`, or the name of an installed module."
            },
            "env": {
                "type": "string",
                "description": "The virtual environment that it runs in, or a file to make one from: requirements.txt, pyproject.toml, uv.lock. Its packages count."
            },
            "timeout": { "type": "string", "description": STARTS }
        }
    })
}

fn plugin_of_command() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["command"],
        "properties": {
            "command": {
                "description": "An executable that speaks the worker protocol, and its arguments.",
                "anyOf": [
                    { "type": "string" },
                    { "type": "array", "minItems": 1, "items": { "type": "string" } }
                ]
            },
            "timeout": { "type": "string", "description": STARTS }
        }
    })
}

fn expression() -> Value {
    json!({ "$ref": "#/$defs/expression" })
}

fn one() -> Value {
    json!({ "anyOf": [{ "$ref": "#/$defs/reference" }, { "$ref": "#/$defs/external" }] })
}

fn many() -> Value {
    json!({ "anyOf": [
        {
            "type": "array",
            "description": "Collects the outputs of all nodes, in matrix order.",
            "items": one()
        },
        {
            "type": "object",
            "description": "Collects over some axes, and maps over the others.",
            "additionalProperties": false,
            "required": ["collect"],
            "properties": {
                "collect": { "$ref": "#/$defs/reference" },
                "over": { "type": "array", "items": { "type": "string" } }
            }
        },
        { "$ref": "#/$defs/external" }
    ] })
}

fn stage(names: Vec<Value>, conditions: Vec<Value>) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["uses"],
        "properties": {
            "uses": {
                "description": "The operation: `plugin/verb`. `flow plugins` lists them.",
                "oneOf": names
            },
            "inputs": {
                "type": "object",
                "description": "What is connected to the operation's inputs: `stage.port` maps over the axes \
                                of that stage, `[stage.port]` collects.",
                "additionalProperties": { "$ref": "#/$defs/connection" }
            },
            "with": { "type": "object", "description": "The operation's parameters." },
            "matrix": {
                "$ref": "#/$defs/axes",
                "description": "One node for every combination of values, used as `${{ matrix.AXIS }}`. \
                                `exclude` and `include` remove and add combinations."
            },
            "zip": { "$ref": "#/$defs/axes", "description": "One node for every row of values side by side." },
            "seeds": {
                "description": "One node for every seed.",
                "anyOf": [{ "type": "array", "items": { "type": "integer", "minimum": 0 } }, expression()]
            },
            "when": {
                "description": "A node is there only if this is true.",
                "anyOf": [{ "type": "boolean" }, expression()]
            },
            "needs": {
                "description": "Stages that must be done first, without any data passing.",
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
            },
            "resources": {
                "type": "object",
                "description": "What a node takes while it runs. Never changes results.",
                "additionalProperties": false,
                "properties": {
                    "cpus": {
                        "description": "Threads: a number, or `all`.",
                        "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "all" }, expression()]
                    },
                    "memory": { "type": "string", "description": "The most memory, such as `4 GiB`." }
                }
            },
            "retry": {
                "description": "How often to try again after a failure.",
                "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 100 }, expression()]
            },
            "timeout": { "type": "string", "description": "When to give up, such as `30 min`." },
            "frozen": {
                "description": "Its last result is used whatever has changed: it is never computed.",
                "anyOf": [{ "type": "boolean" }, expression()]
            },
            "outputs": {
                "type": "object",
                "description": "Of a program (`exec/run`): what it puts out, by name.",
                "additionalProperties": { "enum": exec::OUTPUT_KINDS.map(Kind::name) }
            },
            "publish": {
                "type": "object",
                "description": "Outputs to copy to a path, relative to the root folder.",
                "additionalProperties": { "type": "string" }
            }
        },
        "allOf": conditions
    })
}

/// What a stage that is a loop looks like.
fn repeat() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["repeat"],
        "properties": {
            "repeat": {
                "type": "object",
                "description": "Stages that are repeated. From outside, `loop.stage.port` is that of the last \
                                iteration, `[loop.stage.port]` all of them.",
                "additionalProperties": false,
                "required": ["stages", "at_most"],
                "properties": {
                    "at_most": {
                        "description": "So many iterations, and no more.",
                        "anyOf": [{ "type": "integer", "minimum": 1 }, expression()]
                    },
                    "until": {
                        "description": "Ends the loop after an iteration for which this holds, such as \
                                        `${{ score.metrics.error < 0.1 }}`.",
                        "anyOf": [{ "type": "boolean" }, expression()]
                    },
                    "carry": {
                        "type": "object",
                        "description": "What goes from one iteration to the next, used as `carry.NAME`.",
                        "additionalProperties": {
                            "type": "object",
                            "additionalProperties": false,
                            "required": ["then"],
                            "properties": {
                                "first": one(),
                                "then": { "$ref": "#/$defs/reference" }
                            }
                        }
                    },
                    "stages": {
                        "type": "object",
                        "minProperties": 1,
                        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" },
                        "additionalProperties": { "$ref": "#/$defs/stage" }
                    }
                }
            },
            "matrix": { "$ref": "#/$defs/axes", "description": "One loop for every combination of values." },
            "zip": { "$ref": "#/$defs/axes", "description": "One loop for every row of values side by side." },
            "seeds": {
                "description": "One loop for every seed.",
                "anyOf": [{ "type": "array", "items": { "type": "integer", "minimum": 0 } }, expression()]
            },
            "when": {
                "description": "The loop is there only if this is true.",
                "anyOf": [{ "type": "boolean" }, expression()]
            }
        }
    })
}

/// What a stage with this operation looks like.
fn condition(spec: &Spec) -> Value {
    let inputs: Map<String, Value> = spec
        .inputs
        .iter()
        .map(|port| {
            let mut schema = match port.multiplicity {
                Multiplicity::One => one(),
                Multiplicity::Many => many(),
            };
            schema["description"] = format!("{} ({})", port.doc, port.kind).into();
            (port.name.clone(), schema)
        })
        .collect();
    let needed: Vec<&str> =
        spec.inputs.iter().filter(|port| !port.optional).map(|port| port.name.as_str()).collect();
    let mut with = or_expression(&spec.params, 0);
    if let Value::Object(map) = &mut with {
        map.remove("$schema");
        map.insert("description".into(), format!("Parameters of `{}`: {}", spec.name, spec.summary).into());
    }
    let outputs: Map<String, Value> = spec
        .outputs
        .iter()
        .map(|port| (port.name.clone(), json!({ "type": "string", "description": port.doc })))
        .collect();
    let mut then = if spec.name == exec::RUN {
        // The stage itself says what its inputs and outputs are.
        json!({ "properties": { "with": with } })
    } else {
        json!({ "properties": {
            "with": with,
            "inputs": { "properties": inputs, "required": needed, "additionalProperties": false },
            "outputs": false,
            "publish": { "properties": outputs, "additionalProperties": false }
        } })
    };
    let mut required: Vec<&str> = Vec::new();
    if !needed.is_empty() {
        required.push("inputs");
    }
    if spec.params.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty()) {
        required.push("with");
    }
    if !required.is_empty() {
        then["required"] = required.into();
    }
    json!({
        "if": { "properties": { "uses": { "const": spec.name } }, "required": ["uses"] },
        "then": then
    })
}

/// A schema in which an expression may stand for every value, and a quantity for every number with a unit.
fn or_expression(schema: &Value, depth: usize) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut changed = map.clone();
    if let Some(Value::Object(properties)) = map.get("properties") {
        let properties: Map<String, Value> =
            properties.iter().map(|(name, schema)| (name.clone(), allow(schema, depth + 1))).collect();
        changed.insert("properties".into(), properties.into());
        changed.entry("additionalProperties").or_insert(false.into());
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner @ Value::Object(_)) = map.get(key) {
            changed.insert(key.into(), allow(inner, depth + 1));
        }
    }
    for key in ["oneOf", "anyOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(options)) = map.get(key) {
            let options: Vec<Value> = options.iter().map(|option| or_expression(option, depth)).collect();
            changed.insert(key.into(), options.into());
        }
    }
    Value::Object(changed)
}

fn allow(schema: &Value, depth: usize) -> Value {
    let inner = or_expression(schema, depth);
    // The name that tells variants apart decides which schema applies; texts allow everything already.
    let fixed = schema.get("const").is_some() && depth > 1;
    let text = schema.get("type").and_then(Value::as_str) == Some("string") && schema.get("enum").is_none();
    if fixed || text {
        return inner;
    }
    let mut options = vec![inner, expression()];
    if let Some(unit) = schema.get("x-unit").and_then(Value::as_str) {
        options.push(json!({
            "type": "string",
            "pattern": "^\\s*[-+0-9.]",
            "description": format!("A quantity such as `1 {unit}`.")
        }));
    }
    let mut outer = Map::new();
    for key in ["description", "default", "title"] {
        if let Some(value) = schema.get(key) {
            outer.insert(key.into(), value.clone());
        }
    }
    outer.insert("anyOf".into(), options.into());
    Value::Object(outer)
}
