//! The worker's side of the protocol, message by message, as the engine sees it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use flow_plugin::protocol::{Number, Reply, Request};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::{self, Value, json};
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Plugin, Port, Result, Spec};

/// Halves a number, or does what the test asks for instead.
struct Halve;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
struct HalveParams {
    /// The number to halve.
    #[schemars(range(min = 0))]
    number: u64,
    /// Panic instead.
    #[serde(default)]
    panic: bool,
}

impl Operation for Halve {
    type Params = HalveParams;

    fn spec(&self) -> Spec {
        Spec::new("halve", 2, "Halves an even number.").output(Port::new("half", Kind::File, "The half."))
    }

    fn check(&self, params: &HalveParams) -> Vec<ParamProblem> {
        let odd = params.number % 2 == 1;
        let problem = ParamProblem { at: "number".into(), message: "must be even".into(), hint: None };
        if odd { vec![problem] } else { Vec::new() }
    }

    fn run(&self, params: HalveParams, context: &Context) -> Result<()> {
        assert!(!params.panic, "as asked");
        context.progress(1, 1, "numbers", "");
        context.metric("half", 1, f64::NAN);
        while params.number == 0 && !context.is_cancelled() {
            thread::yield_now();
        }
        context.check_cancelled()?;
        std::fs::write(context.output("half")?, (params.number / 2).to_string())?;
        Ok(())
    }
}

/// A worker in a thread, and the engine's end of its streams.
struct Worker {
    requests: UnixStream,
    replies: BufReader<UnixStream>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Worker {
    fn start() -> Self {
        let (requests, stdin) = UnixStream::pair().unwrap();
        let (replies, stdout) = UnixStream::pair().unwrap();
        let plugins = vec![Plugin::new("test", "1.2.3", "For tests.").with(Halve)];
        let thread = thread::spawn(move || flow_plugin::serve_on(plugins, BufReader::new(stdin), stdout));
        Self { requests, replies: BufReader::new(replies), thread }
    }

    fn say(&mut self, request: &Value) {
        writeln!(self.requests, "{request}").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        // Whatever a worker says can be read back by the engine.
        serde_json::from_str::<Reply>(&line).unwrap();
        let mut reply: Value = serde_json::from_str(&line).unwrap();
        if let Some(usage) = reply.get_mut("usage") {
            *usage = json!("…");
        }
        reply
    }

    fn run(&mut self, params: &Value, output: &str) {
        self.say(&json!({
            "type": "run", "id": 7, "node": "a", "operation": "test/halve", "params": params, "inputs": {},
            "outputs": { "half": output }, "seed": 0, "threads": 1,
        }));
    }

    fn end(mut self) {
        self.say(&json!({ "type": "shutdown" }));
        self.thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_worker_introduces_itself() {
    let mut worker = Worker::start();
    worker.say(&json!({ "type": "hello", "protocol": 1, "engine": "0.1.0" }));
    let hello = worker.hear();
    assert_eq!(hello["protocol"], 1);
    let operation = &hello["plugins"][0]["operations"][0];
    assert_eq!(operation["name"], "test/halve");
    assert_eq!(operation["version"], 2);
    let number = &operation["params"]["properties"]["number"];
    assert_eq!(number["description"], "The number to halve.");
    assert_eq!(number["minimum"], 0);
    assert_eq!(operation["params"]["required"], json!(["number"]));
    assert_eq!(operation["params"]["additionalProperties"], json!(false));
    worker.end();
}

#[test]
fn parameters_are_completed_or_refused() {
    let mut worker = Worker::start();
    let mut check = |params: Value| {
        let request =
            json!({ "type": "check", "id": 3, "operation": "test/halve", "params": params, "inputs": [] });
        worker.say(&request);
        worker.hear()
    };
    assert_eq!(check(json!({ "number": 4 }))["ok"]["params"], json!({ "number": 4, "panic": false }));
    assert_eq!(check(json!({ "number": 5 }))["problems"][0]["at"], "number");
    let unknown = check(json!({ "number": 4, "nmuber": 5 }));
    assert!(unknown["problems"][0]["message"].as_str().unwrap().contains("nmuber"), "{unknown}");
    worker.end();
}

#[test]
fn a_node_reports_and_ends_with_its_output_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("half");
    let mut worker = Worker::start();
    worker.run(&json!({ "number": 8, "panic": false }), output.to_str().unwrap());
    assert_eq!(
        worker.hear(),
        json!({ "type": "progress", "id": 7, "done": 1, "total": 1, "unit": "numbers" })
    );
    assert_eq!(
        worker.hear(),
        json!({ "type": "metric", "id": 7, "name": "half", "step": 1, "value": "NaN" })
    );
    assert_eq!(worker.hear(), json!({ "type": "done", "id": 7, "usage": "…" }));
    assert_eq!(std::fs::read_to_string(output).unwrap(), "4");
    worker.end();
}

#[test]
fn a_panic_fails_the_node_and_the_worker_lives_on() {
    let mut worker = Worker::start();
    worker.run(&json!({ "number": 8, "panic": true }), "/nowhere");
    let failed = worker.hear();
    assert_eq!(failed["type"], "failed");
    assert_eq!(failed["error"]["message"], "the operation panicked: as asked");
    worker.run(&json!({ "number": 8, "panic": true }), "/nowhere");
    assert_eq!(worker.hear()["type"], "failed");
    worker.end();
}

#[test]
fn a_node_that_is_cancelled_says_so() {
    let mut worker = Worker::start();
    worker.run(&json!({ "number": 0, "panic": false }), "/nowhere");
    assert_eq!(worker.hear()["type"], "progress");
    assert_eq!(worker.hear()["type"], "metric");
    worker.say(&json!({ "type": "cancel", "id": 7 }));
    assert_eq!(worker.hear()["error"]["kind"], "cancelled");
    worker.end();
}

#[test]
fn messages_survive_the_journey() {
    for value in [0.1, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
        let reply = Reply::Metric { id: 1, name: "loss".into(), step: 2, value: Number(value) };
        let line = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
    }
    let request = Request::Cancel { id: 9 };
    let line = serde_json::to_string(&request).unwrap();
    assert_eq!(line, r#"{"type":"cancel","id":9}"#);
    assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
}

#[test]
fn errors_keep_their_causes() {
    let inner = std::io::Error::other("disk on fire");
    let error = Error::from(inner).context("cannot write the solution");
    assert_eq!(error.to_string(), "cannot write the solution: disk on fire");
}
