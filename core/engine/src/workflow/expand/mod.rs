//! Expansion: how many nodes each stage has, where they lie on its axes, and which nodes of earlier stages
//! each of their inputs takes.

mod collect;
mod outlook;
mod stage;
mod turns;
mod unknown;
mod view;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use super::axes::Cell;
use super::facts::Facts;
use super::file::File;
use super::link::Linked;
use super::nodes::Place;
use super::params::Params;
use crate::diagnostics::{Diagnostics, Span};
pub(super) use outlook::Outlook;
pub(crate) use turns::ITERATION;
pub(super) use turns::{Looped, outputs};
pub(super) use unknown::Unknown;

/// A stage after expansion.
#[derive(Default)]
pub(super) struct Expanded {
    /// One a node, in matrix order.
    pub(super) cells: Vec<Cell>,
    /// One an input, in the order written.
    pub(super) links: Vec<Link>,
    /// Its axes are not known: something before it is broken, or will be known later. One cell stands for
    /// whatever there will be.
    pub(super) tainted: bool,
    /// What must end before all of its cells are known; nothing if they are.
    pub(super) unknown: Unknown,
    /// For the stages of loops: by node, the turn of the loop.
    pub(super) turns: Vec<usize>,
    /// Outputs that decide about its axes and are not known: the stage, the row and the port.
    pub(super) open: Vec<(usize, usize, String)>,
    /// Cells that are switched off, and why.
    pub(super) off: Vec<(Cell, String)>,
    /// The axes that it has, where they can be told without their values.
    pub(super) outlook: Option<Outlook>,
    /// Tables that its axes are read from.
    pub(super) reads: Vec<(PathBuf, Span)>,
}

impl Expanded {
    /// Something about the stage is broken.
    fn broken() -> Self {
        Self { tainted: true, cells: vec![Vec::new()], ..Self::default() }
    }

    /// There is nothing of the stage.
    fn off(why: String) -> Self {
        Self { off: vec![(Vec::new(), why)], ..Self::default() }
    }

    fn is_off(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether its only cell stands for nodes of which nothing is known yet.
    pub(super) fn is_standing_in(&self) -> bool {
        self.tainted && !self.unknown.is_empty()
    }

    /// For a stage of a loop: the first row in a turn, if one is known.
    pub(super) fn row_in(&self, turn: usize) -> Option<usize> {
        if self.is_standing_in() {
            return None;
        }
        // Rows are in the order of the turns.
        let row = self.turns.partition_point(|own| *own < turn);
        (self.turns.get(row) == Some(&turn)).then_some(row)
    }
}

/// Which rows of an earlier stage an input takes.
pub(super) enum Link {
    /// Broken, or not an output.
    None,
    /// By node: one row.
    One { stage: usize, rows: Vec<usize> },
    /// By node: the rows of one group.
    Group { stage: usize, groups: Vec<Rc<Vec<usize>>>, rows: Vec<usize> },
    /// A collection, by item.
    Items(Vec<ItemLink>),
}

/// Which rows of an earlier stage one item of a collection takes.
pub(super) enum ItemLink {
    /// Every node takes all rows; or it is not an output.
    All,
    /// By node: the rows of one group.
    Group { stage: usize, groups: Vec<Rc<Vec<usize>>>, rows: Vec<usize> },
}

impl Link {
    /// Where no group is known yet, the first row stands for one.
    fn stand_in(&mut self) {
        let first = |groups: &mut Vec<Rc<Vec<usize>>>| {
            if groups.is_empty() {
                groups.push(Rc::new(vec![0]));
            }
        };
        match self {
            Self::Group { groups, .. } => first(groups),
            Self::Items(items) => items.iter_mut().for_each(|item| {
                if let ItemLink::Group { groups, .. } = item {
                    first(groups);
                }
            }),
            Self::None | Self::One { .. } => {}
        }
    }
}

/// What a file comes to.
pub(super) struct Expansion {
    pub(super) stages: Vec<Expanded>,
    pub(super) loops: Vec<Rc<Looped>>,
}

/// Expands all stages, in an order in which each comes after those it needs.
pub(super) fn expand(
    file: &File,
    linked: &Linked<'_>,
    params: &Params,
    place: &Place,
    facts: &Facts,
    problems: &mut Diagnostics,
) -> Expansion {
    let last = turns::needed_last(file, linked);
    let before = problems.len();
    let mut known = HashMap::new();
    loop {
        let expanded = file.stages.iter().map(|_| None).collect();
        let loops = vec![None; file.loops.len()];
        let (ends, last) = (&known, &last);
        let mut expander =
            Expander { file, linked, params, place, facts, problems, expanded, loops, ends, last };
        for stage in &linked.order {
            let result = expander.stage(*stage);
            expander.expanded[*stage] = Some(result);
        }
        let Expander { expanded, loops, .. } = expander;
        let expansion = Expansion {
            // Those on a cycle have not been reached.
            stages: expanded.into_iter().map(|stage| stage.unwrap_or_else(Expanded::broken)).collect(),
            loops: loops.into_iter().map(Option::unwrap_or_default).collect(),
        };
        turns::check(file, linked, &expansion, problems);
        // What an iteration hands on is seen only now, and the next one may have to wait for it.
        let early = turns::too_early(file, linked, &expansion);
        if early.is_empty() || problems.len() > before {
            return expansion;
        }
        known.extend(early);
    }
}

struct Expander<'a> {
    file: &'a File,
    linked: &'a Linked<'a>,
    params: &'a Params,
    place: &'a Place,
    facts: &'a Facts,
    problems: &'a mut Diagnostics,
    /// The stages that have been reached.
    expanded: Vec<Option<Expanded>>,
    /// The loops that have been reached.
    loops: Vec<Option<Rc<Looped>>>,
    /// By loop and row of its frame: after how many iterations it is not known yet what the next one is given.
    ends: &'a HashMap<(usize, usize), usize>,
    /// The stages that the last iteration of their loop needs, too.
    last: &'a HashSet<usize>,
}

impl Expander<'_> {
    /// A stage that has been reached, by name: its number, and what it comes to.
    fn reached(&self, name: &str) -> Option<(usize, &Expanded)> {
        let stage = self.linked.stage(name)?;
        self.expanded[stage].as_ref().map(|found| (stage, found))
    }
}
