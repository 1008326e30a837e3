//! What the plan says is certain is what the run does: random small workflows, changed at random.
//!
//! `FLOW_PLAN_STUDIES=200 FLOW_PLAN_SEED=7 cargo test -p flow-cli --test plan_truth` tries more, and others.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::{Project, text};

/// Numbers that look random and depend on the seed only (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A few lines of a few letters, so that outputs often come out the same.
    fn lines(&mut self) -> Vec<&'static str> {
        (0..=self.below(3)).map(|_| *self.one(&["a", "b", "ab", "c"])).collect()
    }
}

/// What a stage does. Others are named by their numbers, which are smaller.
#[derive(Clone, Debug)]
enum Does {
    Text(Vec<&'static str>),
    /// Reads a file outside.
    File(usize),
    Grep {
        from: usize,
        word: &'static str,
    },
    Join(Vec<usize>),
    /// A node a word, and all of them together.
    Matrix {
        from: usize,
        words: Vec<&'static str>,
    },
    /// A node a line, which are known only when the run has come there.
    Lines {
        from: usize,
    },
    /// The shortest line, over and over until it is long: a loop.
    Loop {
        from: usize,
        long: usize,
    },
}

#[derive(Clone, Debug)]
struct Stage {
    name: String,
    does: Does,
    publish: bool,
}

/// A workflow, and the files that it reads.
#[derive(Clone, Debug, Default)]
struct Study {
    stages: Vec<Stage>,
    files: BTreeMap<usize, Vec<&'static str>>,
    names: usize,
}

const WORDS: [&str; 3] = ["a", "b", "c"];

impl Study {
    fn random(random: &mut Random) -> Self {
        let mut study = Self { files: [(0, random.lines()), (1, random.lines())].into(), ..Self::default() };
        for _ in 0..3 + random.below(4) {
            study.add(random);
        }
        study
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("s{}", self.names)
    }

    fn add(&mut self, random: &mut Random) {
        let earlier = self.stages.len();
        let from = random.below(earlier.max(1));
        let does = match random.below(if earlier == 0 { 2 } else { 7 }) {
            0 => Does::Text(random.lines()),
            1 => Does::File(random.below(2)),
            2 => Does::Grep { from, word: random.one::<&str>(&WORDS) },
            3 => Does::Join((0..=random.below(2)).map(|_| random.below(earlier)).collect()),
            4 => Does::Matrix { from, words: words(random) },
            5 => Does::Lines { from },
            _ => Does::Loop { from, long: 1 + random.below(3) },
        };
        let (name, publish) = (self.name(), random.below(4) == 0);
        self.stages.push(Stage { name, does, publish });
    }

    /// The output of a stage that others read.
    fn output(&self, of: usize) -> String {
        let name = &self.stages[of].name;
        match self.stages[of].does {
            Does::Matrix { .. } | Does::Lines { .. } => format!("{name}-all.text"),
            Does::Loop { .. } => format!("{name}.grow.text"),
            _ => format!("{name}.text"),
        }
    }

    fn yaml(&self) -> String {
        let mut yaml = String::new();
        for stage in &self.stages {
            let name = &stage.name;
            let publish = match stage.publish {
                true => format!("publish: {{ text: out/{name}.txt }}"),
                false => String::new(),
            };
            let program = "outputs: { text: file }";
            let written = match &stage.does {
                Does::Text(lines) => {
                    format!(
                        "  {name}: {{ uses: demo/text, with: {{ text: \"{}\\n\" }}, {publish} }}\n",
                        lines.join("\\n")
                    )
                }
                Does::File(file) => format!(
                    "  {name}: {{ uses: exec/run, inputs: {{ of: {{ path: f{file}.txt }} }}, {program}, {publish},\n    \
                     with: {{ run: \"sort -u ${{{{ inputs.of }}}} > ${{{{ outputs.text }}}}\" }} }}\n"
                ),
                Does::Grep { from, word } => format!(
                    "  {name}: {{ uses: demo/grep, inputs: {{ text: {} }}, with: {{ contains: {word} }}, {publish} }}\n",
                    self.output(*from)
                ),
                Does::Join(from) => {
                    let parts: Vec<String> = from.iter().map(|from| self.output(*from)).collect();
                    let parts = parts.join(", ");
                    format!("  {name}: {{ uses: demo/join, inputs: {{ parts: [{parts}] }}, {publish} }}\n")
                }
                Does::Matrix { from, words } => format!(
                    "  {name}: {{ uses: demo/grep, matrix: {{ word: [{}] }}, inputs: {{ text: {} }}, with: {{ contains: \
                     \"${{{{ matrix.word }}}}\" }} }}\n  {name}-all: {{ uses: demo/join, inputs: {{ parts: [{name}.text] }}, \
                     {publish} }}\n",
                    words.join(", "),
                    self.output(*from)
                ),
                Does::Lines { from } => format!(
                    "  {name}: {{ uses: exec/run, inputs: {{ of: {} }}, outputs: {{ parts: folder }},\n    with: {{ run: \
                     \"mkdir ${{{{ outputs.parts }}}}; sort -u ${{{{ inputs.of }}}} | while read l; do test -z $l || echo $l > \
                     ${{{{ outputs.parts }}}}/$l; done\" }} }}\n  {name}-each: {{ uses: exec/run, matrix: {{ line: {{ \
                     from: {name}.parts }} }}, inputs: {{ of: matrix.line }}, {program},\n    with: {{ run: \"tr a-b b-c \
                     < ${{{{ inputs.of }}}} > ${{{{ outputs.text }}}}\" }} }}\n  {name}-all: {{ uses: demo/join, inputs: {{ \
                     parts: [{name}-each.text] }}, {publish} }}\n",
                    self.output(*from)
                ),
                Does::Loop { from, long } => format!(
                    "  {name}:\n    repeat:\n      at_most: 3\n      until: \"${{{{ size.metrics.n >= {long} }}}}\"\n      \
                     carry: {{ text: {{ first: {}, then: grow.text }} }}\n      stages:\n        grow: {{ uses: exec/run, \
                     inputs: {{ of: carry.text }}, {program}, {publish},\n          with: {{ run: \"head -n 1 \
                     ${{{{ inputs.of }}}} | sed 's/a*$/&a/' > ${{{{ outputs.text }}}}\" }} }}\n        size: {{ uses: \
                     exec/run, inputs: {{ of: grow.text }}, outputs: {{ metrics: metrics }},\n          with: {{ run: \
                     \"printf '{{\\\"n\\\": %d}}' $(tr -cd a < ${{{{ inputs.of }}}} | wc -c) > ${{{{ outputs.metrics }}}}\" }} }}\n",
                    self.output(*from)
                ),
            };
            // A loop publishes a file an iteration: one path would not do.
            let written = match stage.does {
                Does::Loop { .. } => written.replace(&publish, ""),
                _ => written,
            };
            // Without something to publish there is a comma too many.
            yaml += &written.replace(", ,", ",").replace(",  }", " }").replace(", \n", ",\n");
        }
        yaml
    }

    fn write(&self, project: &Project) {
        project.stages(&self.yaml());
        for (file, lines) in &self.files {
            project.write(&format!("f{file}.txt"), &(lines.join("\n") + "\n"));
        }
    }

    /// Changes something, and says what; with arguments for the next plan and run.
    fn edit(&mut self, random: &mut Random, project: &Project) -> (String, Vec<String>) {
        let at = random.below(self.stages.len());
        let stage = &self.stages[at].name.clone();
        let mut args = Vec::new();
        let what = match random.below(11) {
            0 => {
                let file = random.below(2);
                self.files.insert(file, random.lines());
                format!("another f{file}.txt")
            }
            1 => {
                self.add(random);
                "one more stage".to_owned()
            }
            2 => {
                self.stages[at].name = self.name();
                format!("{stage} has another name")
            }
            3 => {
                self.stages[at].publish ^= true;
                format!("{stage} is published, or not")
            }
            4 | 5 => match gone(random, project, ".flow/objects", 2) {
                Some(object) => format!("{} is gone", object.display()),
                None => "nothing".to_owned(),
            },
            6 => match gone(random, project, "out", 1) {
                Some(file) => format!("{} is gone", file.display()),
                None => "nothing".to_owned(),
            },
            7 => {
                args = vec!["--force".to_owned(), stage.clone()];
                if matches!(self.stages[at].does, Does::Loop { .. }) {
                    args[1] += ".grow";
                }
                "forced".to_owned()
            }
            _ => {
                self.stages[at].does = match self.stages[at].does.clone() {
                    Does::Text(_) => Does::Text(random.lines()),
                    Does::File(file) => Does::File(1 - file),
                    Does::Grep { from, .. } => Does::Grep { from, word: random.one::<&str>(&WORDS) },
                    Does::Join(_) => Does::Join((0..=random.below(2)).map(|_| random.below(at)).collect()),
                    Does::Matrix { from, .. } => Does::Matrix { from, words: words(random) },
                    Does::Lines { .. } => Does::Lines { from: random.below(at) },
                    Does::Loop { from, .. } => Does::Loop { from, long: 1 + random.below(3) },
                };
                format!("{stage} is something else")
            }
        };
        self.write(project);
        (what, args)
    }
}

/// One word, or some.
fn words(random: &mut Random) -> Vec<&'static str> {
    let first = random.below(WORDS.len());
    WORDS[first..first + 1 + random.below(WORDS.len() - first)].to_vec()
}

/// Removes something so many folders below another.
fn gone(random: &mut Random, project: &Project, below: &str, depth: usize) -> Option<PathBuf> {
    let mut found = vec![project.path(below)];
    for _ in 0..depth {
        found = found
            .iter()
            .filter_map(|path| fs::read_dir(path).ok())
            .flatten()
            .map(|e| e.unwrap().path())
            .collect();
    }
    found.sort();
    if found.is_empty() {
        return None;
    }
    let path = random.one(&found).clone();
    // Objects are read only.
    let script = "chmod -R u+w \"$0\" \"$(dirname \"$0\")\" && rm -r \"$0\"";
    assert!(Command::new("sh").args(["-c", script]).arg(&path).status().unwrap().success());
    Some(path)
}

/// What the plan says of each node or stage, and what the run does: everything that is wrong between the two.
fn contradictions(project: &Project, args: &[String]) -> Vec<String> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let planned = project.plan(&args);
    let run = project.run(&args);
    let failed: Vec<_> = run.finished().filter(|event| event["status"] == "failed").collect();
    assert!(run.code == Some(0) && failed.is_empty(), "{} {failed:?}", run.stderr);
    let ran = run.executed();
    let mut wrong = Vec::new();
    for (node, state, certain, reason) in &planned {
        let did = ran.contains(&node.as_str());
        let there = run.finished().any(|event| event["node"] == node.as_str());
        let expected = match (state.as_str(), certain) {
            ("cached", true) => !did && there,
            ("run", true) => did,
            ("run" | "cached", false) => there,
            ("off", _) => !there,
            _ => true,
        };
        if !expected {
            let done = if did { "it ran" } else { "it did not run" };
            wrong.push(format!("{node}: {state}, certain: {certain} ({reason}), and {done}"));
        }
    }
    // What nobody has spoken of is of a stage of which the plan did not know all nodes.
    let known = |node: &str| planned.iter().any(|(name, ..)| name == node);
    let open = |node: &str| {
        let stage = node.split('[').next().unwrap_or(node);
        planned.iter().any(|(name, state, ..)| state == "unknown" && name == stage)
    };
    for event in run.finished() {
        let node = event["node"].as_str().unwrap();
        if !known(node) && !open(node) {
            wrong.push(format!("{node} is not in the plan"));
        }
    }
    wrong
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn what_is_certain_in_a_plan_is_what_the_run_does() {
    const EDITS: usize = 7;
    let first = setting("FLOW_PLAN_SEED", 1);
    for seed in first..first + setting("FLOW_PLAN_STUDIES", 8) {
        let mut random = Random(seed);
        let mut study = Study::random(&mut random);
        let project = Project::new("");
        study.write(&project);
        let mut history = String::from("at first");
        let mut args: Vec<String> = Vec::new();
        for _ in 0..=EDITS {
            let wrong = contradictions(&project, &args);
            assert!(wrong.is_empty(), "seed {seed}: {history}\n{wrong:#?}\n{}", study.yaml());
            // With nothing changed nothing runs.
            let again = project.run(&[]);
            assert!(
                again.executed().is_empty(),
                "seed {seed}: {history}\n{:?} ran again\n{}",
                again.executed(),
                study.yaml()
            );
            let (what, with) = study.edit(&mut random, &project);
            write!(history, "; {what} {}", with.join(" ")).unwrap();
            args = with;
        }
        // A plan is of a workflow that is sound; the ones here are.
        assert!(text(&project.flow(&["graph", "w.yaml"]).stderr).is_empty());
    }
}
