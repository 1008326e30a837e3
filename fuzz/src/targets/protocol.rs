//! The worker protocol: messages from workers and to them, and the loop that serves them.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use flow_plugin::protocol::{Reply, Request};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Plugin, Port, Result, Spec, serve_on};

use serde_json::Value;

use super::Target;
use crate::random::Random;
use crate::{json, text};

const WORDS: &[&str] = &[
    "\"type\":",
    "\"hello\"",
    "\"run\"",
    "\"check\"",
    "\"cancel\"",
    "\"shutdown\"",
    "\"checked\"",
    "\"progress\"",
    "\"metric\"",
    "\"log\"",
    "\"done\"",
    "\"failed\"",
    "\"id\":",
    "\"params\":",
    "\"inputs\":",
    "\"outputs\":",
    "\"NaN\"",
    "\"Infinity\"",
    "\"-Infinity\"",
    "null",
    "true",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "1e400",
    "-1",
    "\\u0000",
    "\\ud800",
    "\n",
    "{\"type\":\"shutdown\"}\n",
    "\"idle/say\"",
    "\"idle/panic\"",
    "[[[[[[[[[[[[[[[[[[[[",
];

pub(super) struct Protocol;

impl Protocol {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Target for Protocol {
    fn name(&self) -> &'static str {
        "protocol"
    }

    fn mutate(&self, random: &mut Random, text: &mut String, other: &str) {
        if random.one_in(3) || !json::lines(random, text, other) {
            text::words(random, text, other, WORDS);
        }
    }

    fn check(&mut self, text: &str) {
        let bytes = super::bytes(text);
        let mut requests = 0;
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
                let written = round_trip(&reply);
                assert_eq!(reply.id(), written["id"].as_u64());
            }
            if let Ok(request) = serde_json::from_slice::<Request>(line) {
                requests += 1;
                round_trip(&request);
            }
        }
        // The loop has a thread of its own for each conversation: only those with something to answer.
        if requests > 0 {
            serve(&bytes);
        }
    }
}

/// What was read and is written again reads the same. Gives it as JSON.
fn round_trip<T: Serialize + for<'de> Deserialize<'de>>(message: &T) -> Value {
    let written = serde_json::to_string(message).unwrap_or_else(|error| panic!("cannot be written: {error}"));
    assert!(!written.contains('\n'), "a message is one line");
    let again: T = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    let twice = serde_json::to_string(&again).unwrap_or_default();
    assert_eq!(written, twice);
    serde_json::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"))
}

/// Whatever is said to a worker, what it answers are messages, and it comes to an end.
fn serve(requests: &[u8]) {
    let said = Said::default();
    // An error is how it ends when something that is no message arrives.
    let _ = serve_on(vec![plugin()], Cursor::new(requests), said.clone());
    let said = said.0.lock().unwrap_or_else(PoisonError::into_inner);
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Err(error) = serde_json::from_slice::<Reply>(line) {
            panic!("{error}: {}", String::from_utf8_lossy(line));
        }
    }
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn plugin() -> Plugin {
    Plugin::new("idle", "0.1.0", "Does nothing but talk.").with(Say)
}

/// An operation that touches no file, whatever paths it is given.
struct Say;

/// Parameters of `idle/say`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
struct SayParams {
    /// How often.
    #[serde(default)]
    times: u8,
    /// A number that may be anything.
    #[serde(default)]
    value: f64,
    /// What to say.
    #[serde(default)]
    text: String,
}

impl Operation for Say {
    type Params = SayParams;

    fn spec(&self) -> Spec {
        Spec::new("say", 1, "Says something.")
            .input(Port::new("text", Kind::File, "Anything.").optional())
            .output(Port::new("text", Kind::File, "Nothing."))
    }

    fn check(&self, params: &SayParams) -> Vec<ParamProblem> {
        let problem = || ParamProblem { at: "times".into(), message: "too often".into(), hint: None };
        if params.times > 100 { vec![problem()] } else { Vec::new() }
    }

    fn run(&self, params: SayParams, context: &Context) -> Result<()> {
        for time in 0..params.times {
            context.info(params.text.clone());
            context.metric("value", u64::from(time), params.value);
            context.progress(u64::from(time), u64::from(params.times), "times", &params.text);
        }
        match params.text.as_str() {
            "fail" => Err(Error::failed(params.text)),
            "panic" => panic!("{}", params.value),
            _ => Ok(()),
        }
    }
}
