//! Stages as others see them: of a loop, those outside see the last iteration.

use std::borrow::Cow;
use std::rc::Rc;

use super::super::axes::{Cell, axes_of};
use super::super::file::StageDecl;
use super::collect::group;
use super::stage::Rows;
use super::turns::{After, ITERATION};
use super::{Expander, Link, Unknown};

/// A stage before as another one sees it.
pub(super) struct View<'e> {
    pub(super) number: usize,
    pub(super) tainted: bool,
    pub(super) cells: Cow<'e, [Cell]>,
    /// By cell: the row, where they are not the same.
    pub(super) rows: Option<Vec<usize>>,
    pub(super) unknown: Cow<'e, Unknown>,
}

impl View<'_> {
    /// The link to the rows that are picked.
    pub(super) fn link(self, groups: Option<Vec<Rc<Vec<usize>>>>) -> Link {
        let stage = self.number;
        match (groups, self.rows) {
            (None, None) => Link::One { stage, rows: Vec::new() },
            (None, Some(rows)) => {
                let groups = rows.into_iter().map(|row| Rc::new(vec![row])).collect();
                Link::Group { stage, groups, rows: Vec::new() }
            }
            (Some(groups), None) => Link::Group { stage, groups, rows: Vec::new() },
            (Some(groups), Some(rows)) => {
                let group = |group: Rc<Vec<usize>>| Rc::new(group.iter().map(|at| rows[*at]).collect());
                Link::Group { stage, groups: groups.into_iter().map(group).collect(), rows: Vec::new() }
            }
        }
    }
}

impl Expander<'_> {
    /// A stage before as this one sees it: of a loop that it is not in, the last iteration, unless all are asked for.
    pub(super) fn view(&self, stage: &StageDecl, name: &str, all: bool) -> Option<View<'_>> {
        let (number, found) = self.reached(name)?;
        let (tainted, of) = (found.tainted, self.file.stages[number].body_of);
        let looped = of.filter(|of| !all && !tainted && stage.body_of != Some(*of));
        let Some(looped) = looped.and_then(|of| self.loops[of].as_ref()) else {
            let (cells, unknown) = (Cow::Borrowed(found.cells.as_slice()), Cow::Borrowed(&found.unknown));
            return Some(View { number, tainted, cells, rows: None, unknown });
        };
        let is_last = |row: &usize| looped.turns[found.turns[*row]].after == After::Nothing;
        let rows: Vec<usize> = (0..found.cells.len()).filter(is_last).collect();
        let outside = |row: &usize| {
            found.cells[*row].iter().filter(|(axis, _)| **axis != *ITERATION).cloned().collect::<Cell>()
        };
        let cells = Cow::Owned(rows.iter().map(outside).collect());
        let unknown = Cow::Owned(found.unknown.without(ITERATION));
        Some(View { number, tainted, cells, rows: Some(rows), unknown })
    }
}

/// The groups of a partial collection that are complete; what is not known of the others is not known here.
pub(super) fn group_known(
    view: &View<'_>,
    kept: &[Rc<str>],
    rows: &mut Rows,
) -> (Vec<Cell>, Vec<Rc<Vec<usize>>>) {
    let (cells, groups) = group(&view.cells, kept);
    rows.unknown.extend(&view.unknown);
    let open = view.unknown.seen_from(&axes_of(&cells));
    cells.into_iter().zip(groups).filter(|(cell, _)| !open.touches(cell)).unzip()
}
