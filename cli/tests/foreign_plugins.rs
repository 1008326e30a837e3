//! Plugins that are executables: a shell script of some thirty lines that follows the protocol, and others that do
//! not. Those cost their node a clear error, and nothing else.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Project, has_python, text};

/// The example of the book.
const SHELL: &str = include_str!("../../plugins/examples/words.sh");

/// Misbehaves as its operation says.
const HOSTILE: &str = r#"#!/usr/bin/env python3
import json, os, sys, threading, time

VARIABLES = [{"name": "x", "dtype": "f64", "dims": ["i"], "units": "m", "finite": True}]
FILE = [{"name": "out", "kind": "file", "doc": ""}]
FOLDER = [{"name": "out", "kind": "folder", "doc": ""}]
DATASET = [{"name": "out", "kind": "dataset", "doc": "", "variables": VARIABLES}]
ANY = [{"name": "out", "kind": "dataset", "doc": ""}]

def send(message):
    os.write(1, (json.dumps(message) + "\n").encode())

def dataset(path, values, dims="i", dtype="float64", units="m", name="x"):
    import struct
    code = {"float64": "d", "float32": "f"}[dtype]
    os.makedirs(f"{path}/{name}")
    open(f"{path}/{name}/c.0", "wb").write(struct.pack(f"<{len(values)}{code}", *values))
    array = {"zarr_format": 3, "node_type": "array", "shape": [len(values)], "data_type": dtype,
             "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [len(values)]}},
             "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
             "fill_value": 0.0, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
             "attributes": {"units": units}, "dimension_names": [dims]}
    group = {"zarr_format": 3, "node_type": "group", "attributes": {},
             "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": {name: array}}}
    open(f"{path}/{name}/zarr.json", "w").write(json.dumps(array))
    open(f"{path}/zarr.json", "w").write(json.dumps(group))

kept = []

def good(job, out):
    open(out, "w").write("good\n")

def garbage(job, out):
    os.write(1, b"hello, is this on?\n")

def long_line(job, out):
    os.write(1, b"x" * (3 << 20) + b"\n")

def hang(job, out):
    time.sleep(1000)

def die(job, out):
    sys.stderr.write("dying\n")
    sys.stderr.flush()
    os._exit(3)

def nothing(job, out):
    pass

def link(job, out):
    os.makedirs(out)
    os.symlink("/etc/passwd", f"{out}/link")

def outer_link(job, out):
    os.symlink("/etc/passwd", out)

def hard_link(job, out):
    os.makedirs(out)
    open(out + ".elsewhere", "w").write("x")
    os.link(out + ".elsewhere", f"{out}/file")

def fifo(job, out):
    os.makedirs(out)
    os.mkfifo(f"{out}/fifo")

def outer_fifo(job, out):
    os.mkfifo(out)

def device(job, out):
    os.makedirs(out)
    try:
        os.mknod(f"{out}/null", 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        # Only the superuser makes devices; a socket is one thing more that is no file.
        import socket
        socket.socket(socket.AF_UNIX).bind(f"{out}/null")

def late(job, out):
    file = open(out, "w")
    kept.append(file)
    file.write("first")

def mapped(job, out):
    import ctypes
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    with open(out, "w+b") as file:
        file.truncate(4096)
        # Readable and writable; shared. The handle is closed, the mapping stays.
        libc.mmap(None, ctypes.c_size_t(4096), 3, 1, file.fileno(), ctypes.c_long(0))

def afterwards(job, out):
    good(job, out)
    def write():
        time.sleep(0.3)
        with open(out, "a") as file:
            file.write("more\n")
    threading.Thread(target=write).start()

def orphan(job, out):
    import subprocess
    # It has this process's standard output, and outlives it.
    subprocess.Popen(["sleep", "1000"])
    os._exit(4)

def dims(job, out):
    dataset(out, [1.0, 2.0], dims="j")

def dtype(job, out):
    dataset(out, [1.0, 2.0], dtype="float32")

def units(job, out):
    dataset(out, [1.0, 2.0], units="km")

def variable(job, out):
    dataset(out, [1.0, 2.0], name="y")

def nan(job, out):
    dataset(out, [1.0, float("nan")])

def flood(job, out):
    line = json.dumps({"type": "progress", "id": job["id"], "done": 1, "total": 2, "unit": "x"}) + "\n"
    for _ in range(300):
        os.write(1, (line * 100).encode())
    good(job, out)

def flood_metrics(job, out):
    for start in range(0, 100_000, 100):
        lines = [{"type": "metric", "id": job["id"], "name": "x", "step": start + n, "value": n} for n in range(100)]
        os.write(1, "".join(json.dumps(line) + "\n" for line in lines).encode())
    good(job, out)

def flood_log(job, out):
    for _ in range(300):
        send({"type": "log", "id": job["id"], "level": "note", "message": "x" * 1000})
        os.write(2, b"y" * 100_000 + b"\n" * 1000)
    good(job, out)

def twice(job, out):
    good(job, out)
    send({"type": "done", "id": job["id"], "usage": {"cpu_s": 0, "wall_s": 0, "peak_rss": 0}})

def other(job, out):
    send({"type": "done", "id": job["id"] + 100, "usage": {"cpu_s": 0, "wall_s": 0, "peak_rss": 0}})
    good(job, out)

def leak(job, out):
    for _ in range(300):
        kept.append(b"x" * (1 << 20))
        time.sleep(0.01)
    time.sleep(1000)

OPERATIONS = {
    "leak": (leak, FILE), "good": (good, FILE), "garbage": (garbage, FILE), "long_line": (long_line, FILE), "hang": (hang, FILE),
    "die": (die, FILE), "nothing": (nothing, FILE), "link": (link, FOLDER), "outer_link": (outer_link, FILE),
    "hard_link": (hard_link, FOLDER), "fifo": (fifo, FOLDER), "outer_fifo": (outer_fifo, FILE),
    "device": (device, FOLDER), "flood_metrics": (flood_metrics, FILE), "flood_log": (flood_log, FILE),
    "late": (late, FILE), "mapped": (mapped, FILE), "afterwards": (afterwards, FILE), "orphan": (orphan, FILE), "dims": (dims, DATASET), "dtype": (dtype, DATASET), "units": (units, DATASET),
    "variable": (variable, DATASET), "nan": (nan, DATASET), "flood": (flood, FILE), "twice": (twice, FILE),
    "other": (other, FILE), "loose": (dims, ANY), "loose_nan": (nan, ANY), "takes": (good, FILE),
}
INPUTS = {"takes": [{"name": "data", "kind": "dataset", "doc": "", "variables": VARIABLES}]}
HELLO = {"type": "hello", "protocol": 1, "plugins": [{"name": "bad", "version": "1.0", "summary": "Misbehaves.",
    "operations": [{"name": f"bad/{name}", "version": 1, "summary": "", "inputs": INPUTS.get(name, []), "outputs": outputs}
                   for name, (_, outputs) in OPERATIONS.items()]}]}
#GREETING

for line in sys.stdin:
    request = json.loads(line)
    if request["type"] == "hello":
        send(HELLO)
    elif request["type"] == "run":
        OPERATIONS[request["operation"].split("/")[1]][0](request, request["outputs"]["out"])
        send({"type": "done", "id": request["id"], "usage": {"cpu_s": 0, "wall_s": 0, "peak_rss": 0}})
    elif request["type"] == "shutdown":
        break
"#;

fn executable(project: &Project, name: &str, text: &str) {
    project.write(name, text);
    fs::set_permissions(project.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn project(plugins: &str, stages: &str) -> Project {
    let project = Project::new("");
    project.write("w.yaml", &format!("flow: 1\nname: w\nplugins:\n{plugins}stages:\n{stages}"));
    project
}

#[test]
fn a_shell_script_can_be_a_plugin() {
    let project = project(
        "  words: { command: [./words.sh] }\n",
        "
  text: { uses: demo/text, with: { text: \"one two\\nthree\\n\" } }
  count: { uses: words/count, inputs: { text: text.text } }
  head: { uses: words/head, inputs: { text: text.text }, with: { lines: 1 } }
",
    );
    executable(&project, "words.sh", SHELL);
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [3, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    assert_eq!(project.output("count", "words"), "{ \"words\": 3 }\n");
    assert_eq!(project.output("head", "text"), "one two\n");
    assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0]);
    // Of an executable the declared version counts.
    executable(&project, "words.sh", &format!("{SHELL}# A comment.\n"));
    assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0]);
    let newer = SHELL.replace("\"version\":1,", "\"version\":2,");
    assert_ne!(newer, SHELL);
    executable(&project, "words.sh", &newer);
    assert_eq!(project.run(&[]).executed(), ["count", "head"]);
}

const CASES: [(&str, &str); 20] = [
    ("garbage", "standard output that is no message: `hello, is this on?`"),
    ("long_line", "a line of more than"),
    ("hang", "it took longer than its timeout of 0.5 s"),
    ("die", "its worker process ended: exit status 3"),
    ("leak", "and its limit is 100 MiB"),
    ("nothing", "its output `out` was not written"),
    ("link", "has a symbolic link in it, `link`"),
    ("outer_link", "has a symbolic link in it"),
    ("hard_link", "has a file in it that lies elsewhere too, `file`"),
    ("fifo", "neither a file nor a folder: `fifo`"),
    ("outer_fifo", "neither a file nor a folder"),
    ("device", "neither a file nor a folder: `null`"),
    ("late", "it still has its output `out` open for writing"),
    ("mapped", "it still has its output `out` open for writing"),
    ("orphan", "its worker process ended: exit status 4"),
    ("dims", "has a variable `x` with dimensions (j), declared as (i)"),
    ("dtype", "has a variable `x` with elements of type f32, declared as f64"),
    ("units", "has a variable `x` with units `km`, declared as `m`"),
    ("variable", "has no variable `x`, which the operation declares; it has `y`"),
    ("nan", "has a variable `x` with 1 values that are NaN or infinite"),
];

#[test]
fn a_plugin_that_misbehaves_costs_its_node_and_nothing_else() {
    if !has_python() {
        return;
    }
    let cases = CASES;
    let well = ["good", "flood", "flood_metrics", "flood_log", "twice", "other", "afterwards"];
    let mut stages = String::new();
    for (name, _) in &cases {
        let more = match *name {
            "hang" => ", timeout: 500 ms",
            "leak" => ", resources: { memory: 100 MiB }",
            _ => "",
        };
        stages.push_str(&format!("  {name}: {{ uses: bad/{name}{more} }}\n"));
    }
    // After the others, so that workers that misbehaved would serve them if they were still there.
    for name in well {
        stages.push_str(&format!("  {name}: {{ uses: bad/{name} }}\n"));
    }
    let project = project("  bad: { command: [./bad.py] }\n", &stages);
    executable(&project, "bad.py", HOSTILE);
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for (name, expected) in &cases {
        let node = run.node(name);
        let message =
            node["error"]["message"].as_str().unwrap_or_else(|| panic!("{name} did not fail: {node}"));
        assert!(message.contains(expected), "{name}: {message}");
    }
    let done = |name: &&&str| run.node(name)["status"] == "succeeded";
    assert_eq!(well.iter().filter(done).count(), well.len(), "{:?}", run.events);
    let progress =
        run.events.iter().filter(|event| event["event"] == "progress" && event["node"] == "flood").count();
    assert!(progress < 100, "{progress} messages of a flood were passed on");
    assert_eq!(project.output("afterwards", "out"), "good\n", "what is written later is written nowhere");
    let kept = project.path(".flow/index.sqlite").metadata().unwrap().len();
    assert!(kept < 16 << 20, "{kept} bytes were kept of floods of 60 MB");
}

#[test]
fn what_arrives_at_an_input_is_looked_at_before_a_worker_starts() {
    if !has_python() {
        return;
    }
    let stages = "
  loose: { uses: bad/loose }
  dims: { uses: bad/takes, inputs: { data: loose.out } }
  loose_nan: { uses: bad/loose_nan }
  values: { uses: bad/takes, inputs: { data: loose_nan.out }, retry: 3 }
";
    let project = project("  bad: { command: [./bad.py] }\n", stages);
    executable(&project, "bad.py", HOSTILE);
    let run = project.run(&[]);
    let message = |node: &str| run.node(node)["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message("dims"),
        "its input `data`, from `loose.out`, has a variable `x` with dimensions (j), declared as (i)"
    );
    let found = message("values");
    assert!(
        found.starts_with("its input `data`, from `loose_nan.out`, has a variable `x` with 1 values"),
        "{found}"
    );
    let attempts =
        run.events.iter().filter(|e| e["event"] == "node_started" && e["node"] == "values").count();
    assert_eq!(attempts, 1, "the same input is as wrong the next time");
}

#[test]
fn what_a_plugin_says_of_itself_is_checked() {
    if !has_python() {
        return;
    }
    let project = project("  bad: { command: [./bad.py] }\n", "  good: { uses: bad/good }\n");
    let written = fs::read_to_string(project.path("w.yaml")).unwrap();
    let greetings = [
        ("HELLO['protocol'] = 2", "it speaks version 2 of the protocol, and this program version 1"),
        ("HELLO['plugins'][0]['name'] = 'demo'", "it calls itself `demo`"),
        ("HELLO['plugins'][0]['operations'][0]['name'] = 'demo/text'", "is not named `bad/VERB`"),
        ("HELLO['plugins'][0]['operations'][0]['outputs'][0]['name'] = '../../x'", "has an output `../../x`"),
        ("HELLO['plugins'][0]['operations'][0]['outputs'][0]['name'] = '/etc/x'", "has an output `/etc/x`"),
        ("HELLO['plugins'][0]['operations'] = []", "it offers no operations"),
        ("print('hello', flush=True)", "standard output that is no message: `hello`"),
        ("time.sleep(1000)", "it has not answered for 2 s"),
        ("sys.exit('out of luck')", "it ended without an answer: exit status: 1"),
        ("os.write(1, b'x' * (3 << 20))", "a line of more than"),
    ];
    for (greeting, expected) in greetings {
        executable(&project, "bad.py", &HOSTILE.replace("#GREETING", greeting));
        // A busy machine may be slow to start the others.
        let hangs = greeting.contains("sleep");
        let timeout = if hangs { "bad.py], timeout: 2 s }" } else { "bad.py] }" };
        project.write("w.yaml", &written.replace("bad.py] }", timeout));
        let said = project.refused(&["run", "w.yaml"]);
        assert!(
            said.contains("the plugin `bad` cannot be used") && said.contains(expected),
            "{greeting}: {said}"
        );
        assert!(said.contains("w.yaml:4:"), "{greeting}: {said}");
    }
    let head = "flow: 1\nname: w\nplugins: { demo: { command: [./bad.py] } }\nstages:\n";
    project.write("w.yaml", &format!("{head}  a: {{ uses: demo/text }}\n"));
    let said = project.flow(&["run", "w.yaml"]);
    assert!(text(&said.stderr).contains("there is a plugin `demo` already"), "{}", text(&said.stderr));
}

#[test]
fn a_plugin_that_changes_while_the_run_goes_on_is_noticed() {
    if !has_python() {
        return;
    }
    let stages = "
  first: { uses: exec/run, with: { run: \"cp newer.py bad.py; touch ${{ outputs.out }}\", untracked: [bad.py] }, outputs: { out: file } }
  good: { uses: bad/good, needs: [first] }
";
    let project = project("  bad: { command: [./bad.py] }\n", stages);
    executable(&project, "bad.py", HOSTILE);
    executable(&project, "newer.py", &HOSTILE.replace("\"version\": 1,", "\"version\": 2,"));
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1));
    let error = run.node("good")["error"]["message"].as_str().unwrap();
    assert!(error.contains("the code of its plugin changed after the workflow was read"), "{error}");
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?} {}", run.events, run.stderr);
}

#[test]
fn the_built_in_plugins_are_written_with_what_everyone_can_use() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates_of = |manifest: &std::path::Path| -> Vec<String> {
        let text = fs::read_to_string(manifest).unwrap();
        let names = text.lines().filter_map(|line| line.split(['.', '=']).next());
        names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("flow-")).collect()
    };
    let mut built_in = 0;
    for entry in fs::read_dir(root.join("plugins")).unwrap().flatten() {
        let manifest = entry.path().join("Cargo.toml");
        if manifest.is_file() {
            assert_eq!(crates_of(&manifest), ["flow-plugin"], "{}", manifest.display());
            built_in += 1;
        }
    }
    assert!(built_in >= 5, "{built_in}");
    let mut below = crates_of(&root.join("core/plugin/Cargo.toml"));
    below.sort();
    assert_eq!(below, ["flow-artifact", "flow-figure"], "neither the engine nor the store");
}

#[test]
fn the_plugins_of_an_included_file_come_along() {
    let project = Project::new("");
    fs::create_dir(project.path("lib")).unwrap();
    executable(&project, "lib/words.sh", SHELL);
    let lib = "flow: 1\nplugins: { words: { command: [./words.sh] } }\nstages:
  text: { uses: demo/text, with: { text: \"one two\" } }
  count: { uses: words/count, inputs: { text: text.text } }\n";
    project.write("lib/lib.yaml", lib);
    project.write("lib/same.yaml", lib);
    let head = "flow: 1\nname: w\ninclude: { a: lib/lib.yaml, b: lib/same.yaml }\n";
    let stages = "stages:\n  head: { uses: words/head, inputs: { text: a.text.text } }\n";
    project.write("w.yaml", &format!("{head}{stages}"));
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?} {}", run.events, run.stderr);
    assert_eq!(project.output("a.count", "words"), "{ \"words\": 2 }\n");
    project.write("w.yaml", &format!("{head}plugins: {{ words: {{ command: [./words.sh] }} }}\n{stages}"));
    let said = project.flow(&["plan", "w.yaml"]);
    assert!(text(&said.stderr).contains("two plugins are called `words`"), "{}", text(&said.stderr));
}
