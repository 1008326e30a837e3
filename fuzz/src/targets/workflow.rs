//! Workflow files: from text to a checked graph, with the files that they name beside them.
//!
//! A text of the corpus is a workflow, and lines that start with `#%` say what comes with it: `#% profile NAME`,
//! `#% set NAME=VALUE`, and `#% file NAME` before the text of another file.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use flow_engine::catalog::Catalog;
use flow_engine::graph::Graph;
use flow_engine::key::recipe;
use flow_engine::workflow::{Options, load};

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
    "#% file part.yaml\n",
];

/// Files that are there for every text.
const FILES: [(&str, &str); 4] = [
    ("data/a.csv", "x,y\n1,2\n"),
    ("data/b.csv", "x,y\n3,4\n"),
    ("cases.csv", "name,n,x,ok\none,1,0.5,true\ntwo,2,,false\n"),
    (
        "part.yaml",
        "flow: 1\nparams: { n: 1 }\nstages: { a: { uses: demo/text, with: { text: '${{ params.n }}' } } }\n",
    ),
];

pub(super) struct Workflow {
    folder: tempfile::TempDir,
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
}

impl Given {
    fn of(text: &str) -> Self {
        let mut given = Self::default();
        for line in text.split_inclusive('\n') {
            let said = line.strip_prefix("#% ").map(|said| said.trim_end_matches('\n'));
            match said.and_then(|said| said.split_once(' ')) {
                Some(("profile", name)) => given.profile = Some(name.to_owned()),
                Some(("set", setting)) => given.set.push(setting.to_owned()),
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

impl Workflow {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder to work in: {error}"));
        let new = Self { folder, catalog: common::catalog(), written: HashSet::new() };
        FILES.iter().for_each(|(name, content)| new.write(name, content.as_bytes()));
        new
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        if let Some(folder) = path.parent() {
            // A mutated name may be that of a file where a folder is wanted: then there is no such file.
            let _ = fs::create_dir_all(folder);
        }
        let _ = fs::write(path, content);
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

    /// The graph of a text, or what is said to be wrong with it.
    pub(super) fn load(&mut self, text: &str) -> Result<Graph, String> {
        let given = Given::of(text);
        self.prepare(&given);
        let current_dir = self.folder.path().to_owned();
        // A plugin is a program, which loading would start.
        if text.contains("plugins") {
            return Err("error: a text that may start programs is left alone".to_owned());
        }
        let options = Options {
            profile: given.profile,
            set: given.set,
            current_dir,
            cores: 4,
            store: None,
            tell: None,
        };
        let loaded = load(&self.folder.path().join("study.yaml"), &options, &mut self.catalog);
        loaded.map_err(|problems| common::plain(&problems.to_string()))
    }
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
            Ok(graph) => sound(&graph),
            Err(problems) => {
                assert!(problems.contains("error: "), "nothing is said to be wrong: {problems}");
                let control = problems.chars().find(|c| c.is_control() && *c != '\n');
                assert_eq!(control, None, "a control character in {problems:?}");
            }
        }
    }
}

/// What holds of every graph that was found to be good.
fn sound(graph: &Graph) {
    let names: HashSet<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names.len(), graph.nodes.len(), "two nodes of one name");
    assert_eq!(graph.dag.node_count(), graph.nodes.len());
    assert!(!petgraph::algo::is_cyclic_directed(&graph.dag), "a cycle");
    for stage in &graph.stages {
        assert!(stage.nodes.iter().all(|node| graph.nodes[*node].stage == stage.name));
    }
    for node in &graph.nodes {
        assert!(!recipe(node).params.is_empty());
        let outside = |path: &Path| path.is_absolute() || path.components().any(|c| c.as_os_str() == "..");
        assert!(!node.publish.values().any(|path| outside(path)), "{} publishes outside", node.name);
    }
}
