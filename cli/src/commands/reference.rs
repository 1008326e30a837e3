//! What people call things: workflows, runs, nodes, outputs, artifacts.
//!
//! A workflow means its latest succeeded run (or, while there is none, its latest). A node or output is
//! looked up in that run, or in the run that is named instead of a workflow. Where the latest run of a workflow was
//! about a part of it only, a node that it leaves out is that of the latest run which has a result of it.

use std::fs;
use std::path::Path;

use flow_artifact::Digest;
use flow_store::{NodeRecord, OutputRecord, RunRecord, Store};

use super::Failure;
use super::request::StoreArgs;
use super::runs;
use crate::render::text::{DIM, RESET, clean};

/// What a reference leads to.
pub(crate) enum Target {
    /// A run.
    Run(RunRecord),
    /// A node of a run, or all nodes of a stage.
    Nodes(RunRecord, Vec<NodeRecord>),
    /// An output of a node, or of all nodes of a stage.
    Outputs(RunRecord, Vec<(NodeRecord, OutputRecord)>),
    /// An artifact, by digest.
    Artifact(Digest),
}

/// The store that is meant where no workflow is loaded. It must exist.
pub(crate) fn open(args: &StoreArgs) -> Result<Store, Failure> {
    let folder = runs::folder(args)?;
    Store::open_existing(&folder).map_err(Failure::store)?.ok_or_else(|| {
        Failure::request(format_args!("there is no store in {}", folder.display()))
            .hint("`flow run WORKFLOW` makes one; --store DIR names another")
    })
}

/// Finds what one or two words mean: `ccs`, `ccs train.model`, `train.model`, a run, a digest.
pub(crate) fn find(store: &Store, words: &[String]) -> Result<Target, Failure> {
    match words {
        [word] => {
            if let Some(run) = run_named(store, word)? {
                return Ok(Target::Run(run));
            }
            if let Some(digest) = digest(store, word)? {
                return Ok(Target::Artifact(digest));
            }
            // The workflow may be left out where the store has runs of one only.
            match only_run(store)? {
                Some(run) => in_workflow(store, run, word, false),
                None => Err(unknown(store, word)?),
            }
        }
        [named, word] => match run_named(store, named)? {
            Some(run) if run.start.id == *named => within(store, &run, word),
            Some(run) => in_workflow(store, run, word, false),
            None => Err(unknown(store, named)?),
        },
        _ => Err(Failure::request("expected a workflow or a run, and a node or an output of it")),
    }
}

/// The nodes that `ccs train`, `train` or a run and a node mean, in the latest run, whatever became of it.
pub(crate) fn latest_nodes(store: &Store, words: &[String]) -> Result<(RunRecord, Vec<NodeRecord>), Failure> {
    let (run, word) = match words {
        [run, word] => (run_named(store, run)?.ok_or(unknown(store, run)?), word),
        [word] => (only_run(store)?.ok_or(unknown(store, word)?), word),
        _ => return Err(Failure::request("expected a workflow or a run, and a node of it")),
    };
    let mut run = run?;
    let found = if words.first() == Some(&run.start.id) {
        within(store, &run, word)?
    } else {
        if let Some(latest) = store.recent_runs(&run.start.workflow, 1).map_err(Failure::store)?.first()
            && let Some(latest) = store.run(latest).map_err(Failure::store)?
        {
            run = latest;
        }
        in_workflow(store, run, word, true)?
    };
    match found {
        Target::Nodes(run, nodes) => Ok((run, nodes)),
        _ => Err(Failure::request(format_args!("`{word}` is an output, and outputs have no log"))
            .hint("name the node alone")),
    }
}

/// The one output that a reference means.
pub(crate) fn output(store: &Store, words: &[String]) -> Result<(String, Digest), Failure> {
    match find(store, words)? {
        Target::Outputs(_, mut outputs) if outputs.len() == 1 => {
            let (node, output) = outputs.remove(0);
            Ok((format!("{}.{}", node.name, output.port), output.digest))
        }
        Target::Outputs(_, outputs) => {
            let names: Vec<_> =
                outputs.iter().map(|(node, o)| format!("'{}.{}'", node.name, o.port)).collect();
            Err(Failure::request(format_args!(
                "`{}` is an output of {} nodes",
                words.join(" "),
                outputs.len()
            ))
            .hint(format_args!("name one of them: {}", some(&names))))
        }
        Target::Artifact(digest) => Ok((digest.short(), digest)),
        Target::Nodes(_, nodes) => {
            let outputs = nodes.iter().flat_map(|node| node.outputs.iter().map(move |o| (node, o)));
            let names: Vec<_> =
                outputs.map(|(node, output)| format!("'{}.{}'", node.name, output.port)).collect();
            Err(Failure::request(format_args!("`{}` is a node, not an output", words.join(" ")))
                .hint(format_args!("its outputs are {}", some(&names))))
        }
        Target::Run(run) => {
            Err(Failure::request(format_args!("`{}` is a run, not an output", words.join(" ")))
                .hint(format_args!("`flow show {}` lists its nodes; write NODE.OUTPUT", run.start.id)))
        }
    }
}

/// The run of this name, or the latest of the workflow of this name: the latest that succeeded, if one did.
pub(crate) fn run_named(store: &Store, word: &str) -> Result<Option<RunRecord>, Failure> {
    if let Some(run) = store.run(word).map_err(Failure::store)? {
        return Ok(Some(run));
    }
    let Some(name) = workflow_named(store, word)? else { return Ok(None) };
    if let Some(run) = store.latest_run(&name).map_err(Failure::store)? {
        return Ok(Some(run));
    }
    match store.recent_runs(&name, 1).map_err(Failure::store)?.first() {
        Some(latest) => store.run(latest).map_err(Failure::store),
        None => Ok(None),
    }
}

/// The name of the workflow that is called so: by its name, or by its file, with or without the ending.
pub(crate) fn workflow_named(store: &Store, word: &str) -> Result<Option<String>, Failure> {
    if !store.recent_runs(word, 1).map_err(Failure::store)?.is_empty() {
        return Ok(Some(word.to_owned()));
    }
    let there = fs::canonicalize(word).ok();
    let run = store.runs().map_err(Failure::store)?.into_iter().find(|run| {
        let file = Path::new(&run.start.file);
        file.ends_with(word) || there.as_deref() == Some(file) || file.file_stem() == Some(word.as_ref())
    });
    Ok(run.map(|run| run.start.workflow))
}

fn workflows(store: &Store) -> Result<Vec<String>, Failure> {
    let runs = store.runs().map_err(Failure::store)?;
    let mut names: Vec<String> = runs.into_iter().map(|run| run.start.workflow).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

pub(crate) fn only_run(store: &Store) -> Result<Option<RunRecord>, Failure> {
    match workflows(store)?.as_slice() {
        [name] => run_named(store, name),
        _ => Ok(None),
    }
}

fn digest(store: &Store, word: &str) -> Result<Option<Digest>, Failure> {
    /// Shorter ones could as well be names.
    const DIGITS: usize = 6;
    if word.len() < DIGITS || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    match store.artifacts_like(word).map_err(Failure::store)?.as_slice() {
        [] => Ok(None),
        [digest] => Ok(Some(*digest)),
        many => Err(Failure::request(format_args!("{} artifacts begin with {word}", many.len()))
            .hint("write more of the digest")),
    }
}

/// A node or output of a workflow: in its latest run, or where that has none in the latest one that has a result
/// (with `tried`, in which it was tried). Then it is said which.
fn in_workflow(store: &Store, run: RunRecord, word: &str, tried: bool) -> Result<Target, Failure> {
    let failure = match within(store, &run, word) {
        Ok(found) => return Ok(found),
        Err(failure) => failure,
    };
    let node = output_of(word).map(|(node, _)| node);
    for name in std::iter::once(word).chain(node) {
        let earlier = store.latest_run_with(&run.start.workflow, name, tried).map_err(Failure::store)?;
        let Some(earlier) = earlier.filter(|earlier| *earlier != run.start.id) else { continue };
        let Some(earlier) = store.run(&earlier).map_err(Failure::store)? else { continue };
        if let Ok(found) = within(store, &earlier, word) {
            anstream::eprintln!(
                "{DIM}`{}` is of run {}: run {} is later, and has none{RESET}",
                clean(word),
                earlier.start.id,
                run.start.id
            );
            return Ok(found);
        }
    }
    Err(failure)
}

/// Takes a name apart at the last point that is not within brackets: values of axes may have points.
fn output_of(word: &str) -> Option<(&str, &str)> {
    let at = word.rfind('.').filter(|&at| !word[at..].contains(']'))?;
    Some((&word[..at], &word[at + 1..]))
}

fn within(store: &Store, run: &RunRecord, word: &str) -> Result<Target, Failure> {
    let nodes = store.nodes(&run.start.id).map_err(Failure::store)?;
    let named = |name: &str| -> Vec<NodeRecord> {
        nodes.iter().filter(|node| node.name == name || node.stage == name).cloned().collect()
    };
    let found = named(word);
    if !found.is_empty() {
        return Ok(Target::Nodes(run.clone(), found));
    }
    if let Some((name, port)) = output_of(word) {
        let found = named(name);
        let outputs: Vec<_> = found
            .iter()
            .flat_map(|node| node.outputs.iter().map(move |output| (node, output)))
            .filter(|(_, output)| output.port == port)
            .map(|(node, output)| (node.clone(), output.clone()))
            .collect();
        if !outputs.is_empty() {
            return Ok(Target::Outputs(run.clone(), outputs));
        }
        if let Some(node) = found.first() {
            let ports: Vec<_> = node.outputs.iter().map(|output| output.port.clone()).collect();
            let failure =
                Failure::request(format_args!("`{name}` has no output `{port}` in run {}", run.start.id));
            return Err(if ports.is_empty() {
                failure.hint(format_args!("the node {}: it has no outputs", node.state))
            } else {
                failure.hint(format_args!("its outputs are {}", some(&ports)))
            });
        }
    }
    let mut stages: Vec<String> = nodes.into_iter().map(|node| node.stage).collect();
    stages.dedup();
    let id = &run.start.id;
    Err(Failure::request(format_args!("run {id} of `{}` has no node `{word}`", run.start.workflow))
        .hint(format_args!("its stages are {}", some(&stages))))
}

pub(crate) fn unknown(store: &Store, word: &str) -> Result<Failure, Failure> {
    let failure = Failure::request(format_args!(
        "`{word}` is no workflow, run or artifact in {}",
        store.root().display()
    ));
    let names = workflows(store)?;
    Ok(if names.is_empty() {
        failure.hint("nothing has been run yet")
    } else {
        failure.hint(format_args!("there are runs of {}; `flow runs` lists them", some(&names)))
    })
}

/// A list of names, cut where it gets long.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
