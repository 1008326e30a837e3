//! Workflow files: from text to a checked graph, with the files that they name beside them.
//!
//! A text of the corpus is a workflow, and lines that start with `#%` say what comes with it: `#% profile NAME`,
//! `#% set NAME=VALUE`, `#% file NAME` before the text of another file, and `#% fact TEXT` for what an output holds that
//! decides about nodes: JSON, or the names of a folder's entries.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use flow_engine::catalog::Catalog;
use flow_engine::graph::{Graph, Node};
use flow_engine::key::recipe;
use flow_engine::workflow::{Fact, Facts, FolderEntry, Options, load};
use flow_plugin::Kind;

use super::Target;
use crate::random::Random;
use crate::text;

// The operations of the engine's own tests: they declare everything that a workflow can get wrong.
#[path = "../../../core/engine/tests/common/mod.rs"]
mod common;

const WORDS: &[&str] = &[
    "uses: ",
    "inputs: ",
    "with: ",
    "matrix: ",
    "zip: ",
    "seeds: ",
    "when: ",
    "needs: ",
    "resources: ",
    "retry: ",
    "timeout: ",
    "publish: ",
    "outputs: ",
    "params: ",
    "profiles: ",
    "include: ",
    "stages: ",
    "report: ",
    "plugins: ",
    "flow: 1",
    "repeat: ",
    "at_most: ",
    "until: ",
    "carry: ",
    "first: ",
    "then: ",
    "frozen: ",
    "key: ",
    "python: ",
    "command: ",
    "env: ",
    "environment: ",
    "programs: ",
    "untracked: ",
    "exclude: ",
    "collect: ",
    "over: ",
    "files: ",
    "rows: ",
    "path: ",
    "from: ",
    "as: ",
    "memory: ",
    "${{ ",
    " }}",
    "\"${{ params.n }}\"",
    "\"${{ matrix.m }}\"",
    "\"${{ seed }}\"",
    "\"${{ attempt }}\"",
    "matrix.part",
    "carry.data",
    "score.metrics.sum",
    "iteration",
    "${{ inputs.text }}",
    "${{ outputs.out }}",
    "demo/text",
    "demo/grep",
    "demo/join",
    "demo/wave",
    "demo/mean",
    "demo/count",
    "exec/run",
    "lab/train",
    "lab/geology",
    "lab/simulate",
    "lab/score",
    "lab/summary",
    "&a ",
    "*a",
    "<<: *a",
    "{ ",
    " }",
    "[",
    "]",
    ", ",
    ": ",
    "- ",
    "|\n",
    ">-\n",
    "!!str ",
    "? ",
    "---\n",
    "...\n",
    "# ",
    "\"",
    "'",
    "null",
    "~",
    "true",
    "no",
    "data/*.csv",
    "**/*",
    "cases.csv",
    "part.yaml",
    "4 GiB",
    "30 min",
    "1.5 km",
    "all",
    "a.text",
    "[a.text]",
    "range(3)",
    "#% set ",
    "#% profile ",
    "#% fact ",
    "#% file part.yaml\n",
];

/// Files that are there for every text.
const FILES: [(&str, &str); 7] = [
    ("data/a.csv", "x,y\n1,2\n"),
    ("data/b.csv", "x,y\n3,4\n"),
    ("cases.csv", "name,n,x,ok\none,1,0.5,true\ntwo,2,,false\n"),
    (
        "part.yaml",
        "flow: 1\nparams: { n: 1 }\nstages: { a: { uses: demo/text, with: { text: '${{ params.n }}' } } }\n",
    ),
    ("mine.py", "import flowstages\n"),
    ("env/pyvenv.cfg", "version = 3.11.7\n"),
    ("env/lib/python3.11/site-packages/numpy-2.1.0.dist-info/METADATA", ""),
];

/// How often a graph grows at most.
const GROWTHS: usize = 5;

pub(super) struct Workflow {
    folder: tempfile::TempDir,
    /// Where the engine keeps what it knows of plugins.
    store: tempfile::TempDir,
    catalog: Catalog,
    /// Files that came with the last text.
    written: HashSet<String>,
}

/// A text of the corpus, taken apart.
#[derive(Default)]
struct Given {
    workflow: String,
    profile: Option<String>,
    set: Vec<String>,
    files: Vec<(String, String)>,
    facts: Vec<String>,
}

impl Given {
    fn of(text: &str) -> Self {
        let mut given = Self::default();
        for line in text.split_inclusive('\n') {
            let said = line.strip_prefix("#% ").map(|said| said.trim_end_matches('\n'));
            match said.and_then(|said| said.split_once(' ')) {
                Some(("profile", name)) => given.profile = Some(name.to_owned()),
                Some(("set", setting)) => given.set.push(setting.to_owned()),
                Some(("fact", fact)) => given.facts.push(fact.to_owned()),
                Some(("file", name)) if is_plain(name) => given.files.push((name.to_owned(), String::new())),
                _ => match given.files.last_mut() {
                    Some((_, content)) => content.push_str(line),
                    None => given.workflow.push_str(line),
                },
            }
        }
        given
    }
}

/// A name of a file that stays where the texts are.
fn is_plain(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.len() < 40
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    name.len() < 80 && name.split('/').all(part)
}

/// A folder in memory where there is one: every text is written to a file.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    folder.unwrap_or_else(|error| panic!("no folder to work in: {error}"))
}

/// The operations; a plugin is a program, which loading would start.
fn catalog() -> Catalog {
    common::catalog().without_programs()
}

impl Workflow {
    pub(super) fn new() -> Self {
        let new = Self { folder: folder(), store: folder(), catalog: catalog(), written: HashSet::new() };
        FILES.iter().for_each(|(name, content)| new.write(name, content.as_bytes()));
        new
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        let written = fs::write(&path, content);
        if written.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            && let Some(folder) = path.parent()
        {
            // A mutated name may be that of a file where a folder is wanted: then there is no such file.
            let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&path, content));
        }
    }

    /// Puts the files of a text in place, and takes away those of the last one.
    fn prepare(&mut self, given: &Given) {
        for name in std::mem::take(&mut self.written) {
            let _ = fs::remove_file(self.folder.path().join(&name));
            if let Some((_, content)) = FILES.iter().find(|(fixed, _)| *fixed == name) {
                self.write(&name, content.as_bytes());
            }
        }
        self.write("study.yaml", &super::bytes(&given.workflow));
        for (name, content) in &given.files {
            self.write(name, &super::bytes(content));
            self.written.insert(name.clone());
        }
    }

    /// The graph of a text, or what is said to be wrong with it; and what outputs hold.
    pub(super) fn load(&mut self, text: &str) -> (Result<Graph, String>, Vec<String>) {
        let given = Given::of(text);
        self.prepare(&given);
        let options = Options {
            profile: given.profile,
            set: given.set,
            current_dir: self.folder.path().to_owned(),
            cores: 4,
            store: Some(self.store.path().to_owned()),
            tell: None,
        };
        let loaded = load(&self.folder.path().join("study.yaml"), &options, &mut self.catalog);
        if text.contains("plugins") {
            // A catalogue remembers which ones cannot be used.
            self.catalog = catalog();
        }
        (loaded.map_err(|problems| common::plain(&problems.to_string())), given.facts)
    }

    /// Lets a graph grow with what outputs hold, some at a time.
    fn grow(&self, mut graph: Graph, facts: &[String]) {
        let mut said = facts.iter().cycle();
        let mut known = Facts::default();
        for _ in 0..GROWTHS {
            let open: Vec<(&Node, &str)> = graph
                .questions
                .iter()
                .map(|(id, port)| (graph.node(*id), port.as_str()))
                .filter(|(node, port)| !known.has(&node.name, port))
                .collect();
            if open.is_empty() {
                return;
            }
            for (node, port) in &open[..open.len().div_ceil(2)] {
                let Some(said) = said.next() else { return };
                known.insert(&node.name, port, fact(node, port, said));
            }
            match graph.grow(&self.catalog, &known) {
                Ok(larger) => {
                    sound(&larger, &self.catalog);
                    let name = |graph: &Graph, at: usize| graph.nodes.get(at).map(|node| node.name.clone());
                    let kept = (0..graph.nodes.len()).all(|at| name(&graph, at) == name(&larger, at));
                    assert!(kept, "growth changes the numbers of nodes");
                    graph = larger;
                }
                Err(problems) => return told(&common::plain(&problems.to_string())),
            }
        }
    }
}

/// What an output holds, by its kind.
fn fact(node: &Node, port: &str, said: &str) -> Fact {
    if node.outputs.iter().any(|output| output.name == port && output.kind == Kind::Folder) {
        let names: BTreeSet<&str> = said.split([' ', '/']).filter(|name| !name.is_empty()).collect();
        let entry = |name: &str| FolderEntry { name: name.to_owned(), folder: name.len().is_multiple_of(2) };
        return Fact::Entries(names.into_iter().map(entry).collect());
    }
    serde_json::from_str(said).map_or_else(|error| Fact::Unreadable(error.to_string()), Fact::Json)
}

impl Target for Workflow {
    fn name(&self) -> &'static str {
        "workflow"
    }

    fn mutate(&self, random: &mut Random, text: &mut String, other: &str) {
        if random.one_in(2) {
            text::blocks(random, text, other);
        } else {
            text::words(random, text, other, WORDS);
        }
    }

    fn check(&mut self, text: &str) {
        match self.load(text) {
            (Ok(graph), facts) => {
                sound(&graph, &self.catalog);
                self.grow(graph, &facts);
            }
            (Err(problems), _) => told(&problems),
        }
    }
}

/// What holds of everything that is said to be wrong.
fn told(problems: &str) {
    assert!(problems.contains("error: "), "nothing is said to be wrong: {problems}");
    let control = problems.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "a control character in {problems:?}");
}

/// What holds of every graph that was found to be good.
fn sound(graph: &Graph, catalog: &Catalog) {
    let names: HashSet<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names.len(), graph.nodes.len(), "two nodes of one name");
    assert_eq!(graph.dag.node_count(), graph.nodes.len());
    assert!(!petgraph::algo::is_cyclic_directed(&graph.dag), "a cycle");
    for stage in &graph.stages {
        assert!(stage.nodes.iter().all(|node| graph.nodes[*node].stage == stage.name));
    }
    for node in &graph.nodes {
        assert!(!recipe(node).params.is_empty());
        assert!(!node.name.contains(char::is_control), "a control character in {:?}", node.name);
        for port in catalog.get(&node.operation).into_iter().flat_map(|spec| &spec.inputs) {
            let connected = node.inputs.iter().any(|(name, given)| *name == port.name && !given.is_empty());
            assert!(port.optional || connected, "{} lacks its input {}", node.name, port.name);
        }
        let outside = |path: &Path| path.is_absolute() || path.components().any(|c| c.as_os_str() == "..");
        assert!(!node.publish.values().any(|path| outside(path)), "{} publishes outside", node.name);
    }
}
