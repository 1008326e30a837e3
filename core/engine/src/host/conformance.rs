//! Whether a plugin keeps to the protocol, as far as that shows without running a node.

use std::time::Duration;

use flow_plugin::protocol::Request;

use super::ask::Conversation;
use super::{Problem, Wanted, Where, check};
use crate::run::Program;

/// How long a plugin may take to end.
const END: Duration = Duration::from_secs(5);

/// Something that was tried, and how it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried: what a good plugin does.
    pub tried: String,
    /// How it came out.
    pub judgement: Judgement,
}

/// How a trial came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// As it should.
    Passed,
    /// Otherwise: what happened, and what to do.
    Failed(String),
    /// It could not be tried: why.
    Skipped(String),
}

impl Finding {
    /// What a trial found; an error is what is wrong.
    #[must_use]
    pub fn new(tried: impl Into<String>, result: Result<(), String>) -> Self {
        let judgement = result.map_or_else(Judgement::Failed, |()| Judgement::Passed);
        Self { tried: tried.into(), judgement }
    }

    /// A trial that could not be made.
    #[must_use]
    pub fn skipped(tried: impl Into<String>, why: impl Into<String>) -> Self {
        Self { tried: tried.into(), judgement: Judgement::Skipped(why.into()) }
    }
}

/// Tries a plugin outside this program.
pub(crate) fn try_out(name: &str, program: &Program) -> Vec<Finding> {
    let folder = program.folder.clone().unwrap_or_default();
    let patience = program.patience.unwrap_or(Duration::from_secs(60));
    let at = Where::Command(Vec::new());
    let wanted = Wanted { name, at, folder: &folder, patience, store: &folder };
    let said = |problem: Problem| [vec![problem.message], problem.notes].concat().join("\n");
    let finding = |tried: &str, result| Finding::new(tried, result);

    let greeting = || Conversation::start(program, &wanted).map_err(said);
    let (first, second) = (greeting(), greeting());
    let mut found = vec![
        finding("it answers the greeting", first.as_ref().map(|_| ()).map_err(Clone::clone)),
        finding(
            "what it declares is sound",
            match &first {
                Ok((_, info)) => check(name, info).map_err(said),
                Err(problem) => Err(problem.clone()),
            },
        ),
    ];
    let (Ok((one, info)), Ok((other, again))) = (first, second) else { return found };
    let same = match info == again {
        true => Ok(()),
        false => Err("it declared one thing the first time, and another the second".to_owned()),
    };
    found.push(finding("it declares the same each time", same));
    let undocumented: Vec<&str> = info
        .operations
        .iter()
        .filter(|spec| spec.summary.is_empty())
        .map(|spec| spec.name.as_str())
        .collect();
    let documented = match undocumented.is_empty() {
        true => Ok(()),
        false => Err(format!("say what they do in a sentence: {}", undocumented.join(", "))),
    };
    found.push(finding("its operations are documented", documented));
    let late = |how: &str| format!("{how}, it went on for more than {} s", END.as_secs());
    let told = one.ends(Some(&Request::Shutdown), END);
    found.push(finding(
        "it ends when it is told to",
        told.then_some(()).ok_or_else(|| late("after `shutdown`")),
    ));
    let alone = other.ends(None, END);
    let alone = alone.then_some(()).ok_or_else(|| late("after its standard input had ended"));
    found.push(finding("it ends when the engine has gone", alone));
    found
}
