//! Mutational fuzzing of what reads text that flow did not write, on the stable toolchain.
//!
//! A campaign takes texts from a corpus of good ones, changes them in ways that know the language, and hands them
//! to a target, which panics where something that must hold does not. Texts that reach new code join the corpus.
//! Everything follows from the seed. `docs/decisions/fuzzing.md` says why it is made this way.

mod coverage;
mod json;
pub mod random;
pub mod targets;
mod text;
mod watch;

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use coverage::{Coverage, Reached};
use random::Random;
use targets::Target;
use watch::Watch;

/// Longer texts are cut: they are slow, and find little that shorter ones do not.
const LONGEST: usize = 16 << 10;

/// The most changes to a text at once.
const CHANGES: usize = 5;

/// A text for which something does not hold.
#[derive(Clone, Debug)]
pub struct Found {
    /// What the target said.
    pub message: String,
    /// The text.
    pub text: String,
}

/// A text to start from.
struct Start {
    text: String,
    /// How much work it is.
    cost: u64,
}

/// Fuzzing of one target.
pub struct Campaign {
    target: Box<dyn Target>,
    corpus: Vec<Start>,
    coverage: Coverage,
    random: Random,
    watch: Watch,
    executions: u64,
    found: Vec<Found>,
}

impl Campaign {
    /// Starts from the texts of the corpus, and those that were found to break something before; all are run. A text
    /// that takes longer than `patience` ends the process, with the text on standard error.
    ///
    /// # Errors
    /// When the corpus cannot be read.
    pub fn new(target: Box<dyn Target>, seed: u64, patience: Duration) -> io::Result<Self> {
        let (random, watch) = (Random::new(seed), Watch::start(patience));
        let start: Vec<String> =
            good_texts(target.name())?.into_iter().chain(found_texts(target.name())?).collect();
        let (coverage, found) = (Coverage::default(), Vec::new());
        let mut new = Self { target, corpus: Vec::new(), coverage, random, watch, executions: 0, found };
        for text in start {
            // Also one that reaches nothing new: it was put there as a start.
            let before = new.corpus.len();
            let reached = new.run(&text);
            if new.corpus.len() == before {
                new.corpus.push(Start { text, cost: reached.cost });
            }
        }
        Ok(new)
    }

    /// Runs so many changed texts.
    pub fn go_on(&mut self, executions: u64) {
        for _ in 0..executions {
            let text = self.changed();
            self.run(&text);
        }
    }

    fn changed(&mut self) -> String {
        let random = &mut self.random;
        // What joined last has been tried least, and of two the quicker gets more done.
        let recent = self.corpus.len().min(32);
        let mut draw = || match random.one_in(3) {
            true => self.corpus.len() - 1 - random.below(recent),
            false => random.below(self.corpus.len()),
        };
        let (one, other) = (draw(), draw());
        let quicker = if self.corpus[one].cost <= self.corpus[other].cost { one } else { other };
        let mut text = self.corpus[quicker].text.clone();
        let other = &self.corpus[random.below(self.corpus.len())].text;
        for _ in 0..=random.below(CHANGES) {
            self.target.mutate(random, &mut text, other);
        }
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
        }
        text
    }

    fn run(&mut self, text: &str) -> Reached {
        self.executions += 1;
        self.watch.begins(text);
        // What was reached meanwhile is no merit of this text.
        Coverage::forget();
        let result = catch_unwind(AssertUnwindSafe(|| self.target.check(text)));
        self.watch.ends();
        let reached = self.coverage.take();
        if let Err(panic) = result {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            let message = said.unwrap_or_default();
            // One text for each thing that is wrong.
            let start = |message: &str| message.chars().take(40).collect::<String>();
            if !self.found.iter().any(|found| start(&found.message) == start(&message)) {
                self.found.push(Found { message, text: text.to_owned() });
            }
        } else if reached.new {
            self.corpus.push(Start { text: text.to_owned(), cost: reached.cost });
        }
        reached
    }

    /// How many texts have been run.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// How many texts there are to start from by now.
    #[must_use]
    pub fn corpus(&self) -> impl ExactSizeIterator<Item = &str> {
        self.corpus.iter().map(|start| start.text.as_str())
    }

    /// How many pieces of code have been reached, and how many there are; nothing where they are not counted.
    #[must_use]
    pub fn reached(&self) -> (usize, usize) {
        self.coverage.reached()
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// Ends it, and leaves the counts of all that was reached for the profile.
    pub fn end(self) {
        self.coverage.restore();
    }
}

/// The line between two texts of a corpus.
const BETWEEN: &str = "\n%%%\n";

/// The good texts that campaigns of a target start from: one file, so that they can be read together.
fn good_texts(target: &str) -> io::Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{target}.txt"));
    let all = fs::read_to_string(path)?;
    Ok(all.strip_suffix('\n').unwrap_or(&all).split(BETWEEN).map(str::to_owned).collect())
}

/// Where the texts of a target lie that were found to break something: a file each, by hash.
#[must_use]
pub fn found_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("found").join(target)
}

fn found_texts(target: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(found_folder(target)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().map(fs::read_to_string).collect()
}
