//! The workflow file as a typed structure: its keys are known, its references are split, nothing is resolved.

mod axes;
mod connections;
mod plugins;
mod repeat;
mod stage;

use std::collections::HashMap;

use super::tree::{Data, Entry, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, Span, closest, did_you_mean};

use crate::exec::Form;
pub(super) use plugins::{PluginAt, PluginDecl};

/// The version of the format that this program reads.
pub(crate) const FORMAT: u64 = 1;

/// Keys at the top of a file.
pub(crate) const TOP_KEYS: [&str; 9] =
    ["flow", "name", "description", "params", "profiles", "plugins", "include", "stages", "report"];

/// Keys of a stage.
pub(crate) const STAGE_KEYS: [&str; 14] = [
    "uses",
    "inputs",
    "with",
    "matrix",
    "zip",
    "seeds",
    "when",
    "needs",
    "resources",
    "retry",
    "timeout",
    "frozen",
    "publish",
    "outputs",
];

pub(super) use repeat::LoopDecl;

/// What stands in front of what a loop carries, under `inputs`.
pub(super) const CARRY: &str = "carry";

/// What stands in front of an axis, in expressions and under `inputs`.
pub(super) const MATRIX: &str = "matrix";

/// A text and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// What a file says.
pub(super) struct File {
    pub(super) name: Option<Word>,
    pub(super) description: String,
    pub(super) params: Tree,
    /// Not so if the key is misspelt: then no parameter can be called missing.
    pub(super) params_known: bool,
    pub(super) plugins: Vec<PluginDecl>,
    pub(super) stages: Vec<StageDecl>,
    pub(super) loops: Vec<LoopDecl>,
    pub(super) report: Vec<Reference>,
}

/// What a file says about one stage.
pub(super) struct StageDecl {
    pub(super) name: Word,
    pub(super) uses: Option<Word>,
    pub(super) inputs: Vec<(Word, Connection)>,
    pub(super) inputs_span: Option<Span>,
    /// By input: the form that it is asked for in.
    pub(super) forms: Vec<(String, Form, Span)>,
    pub(super) with: Tree,
    /// `matrix`, `zip` and `seeds`, in the order written.
    pub(super) axes: Vec<AxisBlock>,
    /// Whether its nodes are there at all.
    pub(super) when: Option<Tree>,
    pub(super) needs: Vec<Word>,
    pub(super) resources: Option<Tree>,
    pub(super) retry: Option<Tree>,
    pub(super) timeout: Option<Tree>,
    /// Whether its last result is used whatever has changed.
    pub(super) frozen: Option<Tree>,
    pub(super) publish: Vec<Entry>,
    /// The outputs that a program declares, and the key's place.
    pub(super) outputs: Option<(Vec<Entry>, Span)>,
    /// Keys that are there, but misspelt.
    pub(super) meant: Vec<&'static str>,
    /// The loop that it is repeated in.
    pub(super) body_of: Option<usize>,
}

/// One way in which a stage gets axes of its own.
pub(super) enum AxisBlock {
    /// Every combination of the values, less `exclude`, and the cells of `include`.
    Matrix { axes: Vec<Axis>, include: Option<Tree>, exclude: Option<Tree>, span: Span },
    /// Values side by side.
    Zip { axes: Vec<Entry>, span: Span },
    /// The axis `seed`.
    Seeds { values: Tree, span: Span },
}

/// One axis of a matrix.
pub(super) enum Axis {
    /// Its values are in the file, or in files that are there.
    Written(Entry),
    /// They are in an output.
    From(FromAxis),
}

/// `AXIS: { from: stage.port, key: NAME }`.
pub(super) struct FromAxis {
    pub(super) name: Word,
    /// None if it does not name an output, which has been reported.
    pub(super) from: Option<Reference>,
    /// Where the list is in a JSON object.
    pub(super) key: Option<Word>,
}

impl StageDecl {
    /// Axes over what outputs hold.
    pub(super) fn output_axes(&self) -> impl Iterator<Item = &FromAxis> {
        let blocks = self.axes.iter().flat_map(|block| match block {
            AxisBlock::Matrix { axes, .. } => axes.as_slice(),
            AxisBlock::Zip { .. } | AxisBlock::Seeds { .. } => &[],
        });
        blocks.filter_map(|axis| match axis {
            Axis::From(from) => Some(from),
            Axis::Written(_) => None,
        })
    }

    /// The outputs that it needs: those that its inputs are connected to, and those that its axes are made of.
    pub(super) fn references(&self) -> impl Iterator<Item = &Reference> {
        let inputs = self.inputs.iter().flat_map(|(_, connection)| connection.references());
        inputs.chain(self.output_axes().filter_map(|axis| axis.from.as_ref()))
    }
}

/// What an input is connected to.
pub(super) enum Connection {
    /// `stage.port`.
    Map(Reference),
    /// `[stage.port, { path: … }]`.
    Collect(Vec<Item>, Span),
    /// `{ collect: stage.port, over: [axis] }`. Without `over`, all axes.
    Partial { from: Reference, over: Option<Vec<Word>>, span: Span },
    /// `{ path: … }`.
    External(Tree, Span),
    /// `matrix.axis`: the entry of a folder that the axis stands for.
    Entry(Word),
    /// `carry.name`: what a loop carries, by number.
    Carry { of: usize, carry: usize, span: Span },
    /// Reported already.
    Broken,
}

/// One item of a collection.
pub(super) enum Item {
    Output(Reference),
    External(Tree),
    Carry { of: usize, carry: usize, span: Span },
}

/// `stage.port`.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) stage: Word,
    pub(super) port: Word,
    pub(super) span: Span,
}

impl Connection {
    /// What a loop carries that it names, by the numbers of the loop and of that.
    pub(super) fn carried(&self) -> Option<(usize, usize)> {
        match self {
            Self::Carry { of, carry, .. } => Some((*of, *carry)),
            Self::Collect(items, _) => items.iter().find_map(|item| match item {
                Item::Carry { of, carry, .. } => Some((*of, *carry)),
                Item::Output(_) | Item::External(_) => None,
            }),
            _ => None,
        }
    }

    /// The outputs that it names.
    pub(super) fn references(&self) -> Vec<&Reference> {
        match self {
            Self::Map(reference) | Self::Partial { from: reference, .. } => vec![reference],
            Self::Collect(items, _) => items
                .iter()
                .filter_map(|item| match item {
                    Item::Output(reference) => Some(reference),
                    Item::External(_) | Item::Carry { .. } => None,
                })
                .collect(),
            Self::External(..) | Self::Entry(_) | Self::Carry { .. } | Self::Broken => Vec::new(),
        }
    }
}

/// Whether a tree is a workflow at all; says so if not.
pub(super) fn is_workflow(root: &Tree, problems: &mut Diagnostics) -> bool {
    if matches!(root.data, Data::Map(_)) {
        return true;
    }
    let what = if matches!(root.data, Data::Null) { "an empty file".to_owned() } else { root.describe() };
    problems.push(
        Diagnostic::at(root.span, format!("a workflow must be a mapping, not {what}"))
            .help("start with `flow: 1`, then `name:` and `stages:`"),
    );
    false
}

/// Checks the keys of a workflow and the version of its format, for a file whose stages another one takes over.
pub(super) fn check_head(root: &Tree, problems: &mut Diagnostics) {
    Reader { problems }.head(root);
}

/// Reads the whole file. What is wrong is reported; what is right is returned.
pub(super) fn read(root: &Tree, problems: &mut Diagnostics) -> Option<File> {
    if !is_workflow(root, problems) {
        return None;
    }
    let mut reader = Reader { problems };
    let meant = reader.head(root);
    let name = root.get("name").and_then(|entry| reader.name(entry));
    let description =
        root.get("description").and_then(|entry| reader.word(&entry.value, "`description`")).map(|w| w.text);
    let params = match root.get("params") {
        Some(entry) if matches!(entry.value.data, Data::Map(_) | Data::Null) => entry.value.clone(),
        Some(entry) => {
            reader.expected(&entry.value, "`params` must be a mapping of names to values");
            Tree::new(entry.key_span, Data::Map(Vec::new()))
        }
        None => Tree::new(root.span, Data::Map(Vec::new())),
    };
    let plugins = root.get("plugins").map(|entry| reader.plugins(&entry.value)).unwrap_or_default();
    let (stages, loops) = match root.get("stages") {
        Some(entry) => reader.stages(entry),
        None if meant.contains(&"stages") => Default::default(),
        None => {
            reader.problems.push(
                Diagnostic::nowhere("the workflow has no `stages`")
                    .help("a stage is written `stages: { NAME: { uses: plugin/verb } }`"),
            );
            Default::default()
        }
    };
    let report = match root.get("report") {
        Some(entry) => reader
            .list(&entry.value, "`report` must be a list of outputs: `stage.port`")
            .iter()
            .filter_map(|item| reader.reference(item))
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|reference| reader.handed_on(reference, None, &loops))
            .collect(),
        None => Vec::new(),
    };
    let params_known = !meant.contains(&"params");
    let description = description.unwrap_or_default();
    Some(File { name, description, params, params_known, plugins, stages, loops, report })
}

struct Reader<'a> {
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// Reports keys that are not known, and gives those that were probably meant: what they would have said
    /// must not be called missing.
    fn known_keys(&mut self, entries: &[Entry], known: &[&'static str], of: &str) -> Vec<&'static str> {
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let help = did_you_mean(&entry.key, known.iter().copied(), &format!("the keys of {of} are"));
            self.problems.push(
                Diagnostic::at(entry.key_span, format!("{of} has no key `{}`", entry.key))
                    .label("unknown key")
                    .maybe_help(help),
            );
            meant.extend(closest(&entry.key, known.iter().copied()).and_then(|near| {
                // The constant itself, which outlives the file.
                known.iter().find(|known| **known == near).copied()
            }));
        }
        meant
    }

    /// The keys of a workflow and the version of its format; gives the keys that are misspelt.
    fn head(&mut self, root: &Tree) -> Vec<&'static str> {
        let meant = self.known_keys(root.entries(), &TOP_KEYS, "a workflow");
        if !meant.contains(&"flow") {
            self.version(root);
        }
        meant
    }

    fn version(&mut self, root: &Tree) {
        let Some(entry) = root.get("flow") else {
            let start = Span { end: root.span.start, ..root.span };
            self.problems.push(
                Diagnostic::at(start, "the format version is missing")
                    .help(format!("start the file with `flow: {FORMAT}`")),
            );
            return;
        };
        match entry.value.to_value().as_u64() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => self.problems.push(
                Diagnostic::at(entry.value.span, format!("this file has format {newer}"))
                    .label(format!("this program reads format {FORMAT}"))
                    .help("use a newer `flow`"),
            ),
            _ => self.expected(&entry.value, &format!("the format version must be `{FORMAT}`")),
        }
    }

    /// Says what was expected instead of a value.
    fn expected(&mut self, found: &Tree, what: &str) {
        self.problems
            .push(Diagnostic::at(found.span, what.to_owned()).label(format!("this is {}", found.describe())));
    }

    fn word(&mut self, tree: &Tree, what: &str) -> Option<Word> {
        match &tree.data {
            Data::Text(text) => Some(Word { text: text.clone(), span: tree.span }),
            Data::Template(_) => {
                self.problems.push(
                    Diagnostic::at(tree.span, format!("{what} cannot be an expression"))
                        .help("expressions may stand in `params`, `with`, `matrix`, `resources` and paths"),
                );
                None
            }
            _ => {
                self.expected(tree, &format!("{what} must be a text"));
                None
            }
        }
    }

    fn name(&mut self, entry: &Entry) -> Option<Word> {
        let word = self.word(&entry.value, "`name`")?;
        if !is_name(&word.text) {
            self.problems.push(bad_name(&word, "workflow"));
            return None;
        }
        Some(word)
    }

    fn list<'t>(&mut self, tree: &'t Tree, what: &str) -> &'t [Tree] {
        match &tree.data {
            Data::List(items) => items,
            _ => {
                self.expected(tree, what);
                &[]
            }
        }
    }

    fn mapping<'t>(&mut self, tree: &'t Tree, what: &str) -> &'t [Entry] {
        match &tree.data {
            Data::Map(entries) => entries,
            Data::Null => &[],
            _ => {
                self.expected(tree, what);
                &[]
            }
        }
    }

    fn stages(&mut self, stages: &Entry) -> (Vec<StageDecl>, Vec<LoopDecl>) {
        let entries = self.mapping(&stages.value, "`stages` must be a mapping of names to stages");
        if entries.is_empty() && matches!(stages.value.data, Data::Map(_) | Data::Null) {
            self.problems.push(
                Diagnostic::at(stages.key_span, "the workflow has no stages")
                    .help("a stage is written `NAME: { uses: plugin/verb }`"),
            );
        }
        let is_loop = |entry: &&Entry| entry.value.get("repeat").is_some();
        let mut loops: Vec<LoopDecl> =
            entries.iter().filter(is_loop).map(|entry| self.repeat(entry)).collect();
        let names: HashMap<String, usize> =
            loops.iter().enumerate().map(|(number, of)| (of.frame.name.text.clone(), number)).collect();
        let stages = entries.iter().filter(|entry| !is_loop(entry)).map(|entry| {
            let body_of = entry.key.rsplit_once('.').and_then(|(of, _)| names.get(of).copied());
            self.stage(entry, body_of)
        });
        let mut stages: Vec<StageDecl> = stages.collect();
        self.carried(&mut stages, &mut loops);
        (stages, loops)
    }
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

pub(super) fn bad_name(word: &Word, what: &str) -> Diagnostic {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    Diagnostic::at(word.span, format!("`{}` cannot be the name of {article} {what}", word.text))
        .help("names start with a letter and go on with letters, digits, `_` and `-`")
}
