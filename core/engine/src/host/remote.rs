//! Operations that run elsewhere: what can be said about their parameters here.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flow_plugin::protocol::{PluginInfo, Reply, Request};
use flow_plugin::{Checked, Context, Digest, DynOperation, Error, ParamProblem, Port, Result, Spec};
use serde_json::{Map, Value};

use super::ask::Conversation;
use super::{Problem, Wanted, described};
use crate::run::Program;

/// How a plugin is asked about parameters.
pub(super) struct Asking {
    program: Program,
    name: String,
    patience: Duration,
    folder: PathBuf,
    store: PathBuf,
    /// What stands for the plugin as it is now.
    signature: Digest,
    /// Where answers are kept.
    answers: PathBuf,
    conversation: Mutex<Option<Conversation>>,
}

impl Asking {
    /// `announced` is what the plugin offers, and the digest of its executable if it is one: compiled code may change
    /// what it answers without changing what it declares.
    pub(super) fn new(
        program: Program,
        wanted: &Wanted<'_>,
        announced: (&PluginInfo, Option<Digest>),
        answers: PathBuf,
    ) -> Arc<Self> {
        let signature = serde_json::to_vec(&announced).unwrap_or_default();
        Arc::new(Self {
            program,
            name: wanted.name.to_owned(),
            patience: wanted.patience,
            folder: wanted.folder.to_owned(),
            store: wanted.store.to_owned(),
            signature: Digest::of(&signature),
            answers,
            conversation: Mutex::new(None),
        })
    }

    /// The answer to a question, from before or from the plugin itself.
    fn check(&self, operation: &str, params: Value, inputs: &[Port]) -> Result<Checked, Vec<ParamProblem>> {
        let request =
            Request::Check { id: 0, operation: operation.to_owned(), params, inputs: inputs.to_vec() };
        let question = serde_json::to_string(&request).unwrap_or_default();
        let name = Digest::of(format!("{} {question}", self.signature).as_bytes());
        let path = self.answers.join(format!("{name}.json"));
        let before = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(checked) = before {
            return Ok(checked);
        }
        let mut conversation = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match &mut *conversation {
            Some(living) => living.ask(&request),
            None => {
                let wanted = Wanted {
                    name: &self.name,
                    at: super::Where::Command(Vec::new()),
                    folder: &self.folder,
                    patience: self.patience,
                    store: &self.store,
                };
                Conversation::start(&self.program, &wanted)
                    .and_then(|(started, _)| conversation.insert(started).ask(&request))
            }
        };
        match answer {
            Ok(Reply::Checked { ok: Some(checked), problems, .. }) if problems.is_empty() => {
                if let Ok(text) = serde_json::to_vec(&checked) {
                    described::put(&path, &text);
                }
                Ok(checked)
            }
            Ok(Reply::Checked { problems, .. }) if !problems.is_empty() => Err(problems),
            Ok(_) => Err(problem(Problem::new("the plugin does not answer what it is asked"))),
            Err(found) => {
                *conversation = None;
                Err(problem(found))
            }
        }
    }
}

fn problem(problem: Problem) -> Vec<ParamProblem> {
    vec![ParamProblem {
        at: String::new(),
        message: format!("its plugin cannot be asked: {}", problem.message),
        hint: problem.help,
    }]
}

/// An operation of a plugin outside this program.
pub(super) struct Remote {
    /// With the verb alone as its name.
    spec: Spec,
    name: String,
    asking: Option<Arc<Asking>>,
}

impl Remote {
    pub(super) fn new(mut spec: Spec, asking: &Arc<Asking>) -> Self {
        let name = spec.name.clone();
        spec.name = name.split_once('/').map_or(name.as_str(), |(_, verb)| verb).to_owned();
        let asking = spec.checks.then(|| asking.clone());
        Self { spec, name, asking }
    }
}

impl DynOperation for Remote {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn check(&self, params: &Value, inputs: &[Port]) -> Result<Checked, Vec<ParamProblem>> {
        let params = with_defaults(&self.spec.params, params.clone());
        let Some(asking) = &self.asking else {
            let (outputs, continues) = (self.spec.outputs.clone(), self.spec.extendable.is_some());
            return Ok(Checked { params, outputs, continues });
        };
        let checked = asking.check(&self.name, params, inputs)?;
        let names = |ports: &[Port]| ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>();
        if names(&checked.outputs) != names(&self.spec.outputs) {
            let found = names(&checked.outputs).join(", ");
            let message = format!("it gives the outputs {found}, which are not those that it declares");
            return Err(vec![ParamProblem { at: String::new(), message, hint: None }]);
        }
        Ok(checked)
    }

    fn run(&self, _: Value, _: &Context) -> Result<()> {
        Err(Error::failed(format!("`{}` runs in a worker of its own", self.name)))
    }
}

/// Parameters with the defaults that a schema states.
fn with_defaults(schema: &Value, value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let of = |index: usize| schema["prefixItems"].get(index).unwrap_or(&schema["items"]);
            Value::Array(items.into_iter().enumerate().map(|(i, item)| with_defaults(of(i), item)).collect())
        }
        Value::Null if schema["type"] == "object" && schema.get("properties").is_some() => {
            with_defaults(schema, Value::Object(Map::new()))
        }
        Value::Object(mut object) => {
            let schema = ["anyOf", "oneOf"]
                .iter()
                .find_map(|key| schema[key].as_array()?.iter().find(|option| option["type"] == "object"))
                .unwrap_or(schema);
            for (name, of) in schema["properties"].as_object().into_iter().flatten() {
                match (object.get_mut(name), of.get("default")) {
                    (Some(value), _) if value.is_object() || value.is_array() => {
                        *value = with_defaults(of, value.take());
                    }
                    (Some(_), _) | (None, None) => {}
                    (None, Some(default)) => {
                        // A group that may be left out has defaults of its own.
                        let default = match default {
                            Value::Null => Value::Null,
                            other => with_defaults(of, other.clone()),
                        };
                        object.insert(name.clone(), default);
                    }
                }
            }
            Value::Object(object)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let schema = json!({ "type": "object", "properties": {
            "n": { "type": "integer", "default": 3 },
            "name": { "type": "string" },
            "model": { "type": "object", "default": { "width": 8 }, "properties": {
                "width": { "type": "integer" }, "depth": { "default": 2 } } },
            "maybe": { "anyOf": [{ "type": "null" }, { "type": "object", "properties": { "a": { "default": 1 } } }],
                "default": null },
            "list": { "type": "array", "items": { "type": "object", "properties": { "b": { "default": 0 } } } },
        } });
        let found = with_defaults(&schema, json!({ "name": "x", "list": [{}, { "b": 5 }] }));
        let expected = json!({ "name": "x", "list": [{ "b": 0 }, { "b": 5 }], "n": 3,
            "model": { "width": 8, "depth": 2 }, "maybe": null });
        assert_eq!(found, expected);
        assert_eq!(with_defaults(&schema, json!({ "maybe": {} }))["maybe"], json!({ "a": 1 }));
        assert_eq!(with_defaults(&schema, Value::Null)["n"], 3);
    }
}
