//! What is written under `repeat`.

use super::super::globs;
use super::super::tree::{Data, Entry, Tree};
use super::{Axis, AxisBlock, CARRY, Connection, Item, Reader, Reference, StageDecl, Word};
use crate::diagnostics::{Diagnostic, Span, did_you_mean};

/// Keys of a stage that is a loop.
const LOOP_KEYS: [&str; 5] = ["repeat", "matrix", "zip", "seeds", "when"];

/// Keys under `repeat`. The stages have been taken out before.
const REPEAT_KEYS: [&str; 4] = ["at_most", "until", "carry", "stages"];

/// A group of stages that are repeated.
pub(in crate::workflow) struct LoopDecl {
    /// The loop as a stage: its name, its axes, and as inputs the first values of what is carried.
    pub(in crate::workflow) frame: StageDecl,
    pub(in crate::workflow) carry: Vec<Carry>,
    /// When it ends.
    pub(in crate::workflow) until: Option<Tree>,
    /// After how many iterations it ends in any case.
    pub(in crate::workflow) at_most: Option<Tree>,
}

/// What goes from one iteration to the next.
pub(in crate::workflow) struct Carry {
    pub(in crate::workflow) name: Word,
    /// The input of the frame that it is in the first iteration.
    pub(in crate::workflow) first: Option<usize>,
    /// The output that it is in the next one; none if that is broken, which has been reported.
    pub(in crate::workflow) then: Option<Reference>,
}

impl Reader<'_> {
    /// A stage that is a loop.
    pub(super) fn repeat(&mut self, entry: &Entry) -> LoopDecl {
        let body = &entry.value;
        self.known_keys(body.entries(), &LOOP_KEYS, "a loop");
        let mut frame = self.bare_stage(Word { text: entry.key.clone(), span: entry.key_span }, body);
        let empty = Tree::new(entry.key_span, Data::Null);
        let repeat = body.get("repeat").map_or(&empty, |repeat| &repeat.value);
        let keys = self.mapping(repeat, "`repeat` must be a mapping with `stages` and `at_most`");
        self.known_keys(keys, &REPEAT_KEYS, "`repeat`");
        let at_most = repeat.get("at_most").map(|entry| entry.value.clone());
        if at_most.is_none() && !keys.is_empty() {
            let span = body.get("repeat").map_or(entry.key_span, |repeat| repeat.key_span);
            self.problems.push(
                Diagnostic::at(
                    span,
                    format!("the loop `{}` does not say when it ends at the latest", entry.key),
                )
                .help("write `at_most: N`: so many iterations"),
            );
        }
        let carried = repeat.get("carry").map_or(&[][..], |carry| {
            self.mapping(&carry.value, "`carry` must be a mapping of names to what they are")
        });
        let mut carry = Vec::with_capacity(carried.len());
        for entry in carried {
            let name = Word { text: entry.key.clone(), span: entry.key_span };
            let keys =
                self.mapping(&entry.value, "what is carried is `{ first: stage.port, then: stage.port }`");
            self.known_keys(keys, &["first", "then"], "what is carried");
            let first = entry.value.get("first").map(|first| {
                let connection = self.connection(&first.value);
                let one = match &connection {
                    Connection::Map(_) | Connection::Broken => true,
                    Connection::External(path, _) => !globs::is_pattern(path),
                    _ => false,
                };
                if !one {
                    self.expected(&first.value, "`first` is one artifact: `stage.port` or `{ path: FILE }`");
                }
                frame.inputs.push((name.clone(), if one { connection } else { Connection::Broken }));
                frame.inputs.len() - 1
            });
            let then = entry.value.get("then").and_then(|then| self.reference(&then.value));
            if entry.value.get("then").is_none() && matches!(entry.value.data, Data::Map(_)) {
                self.problems.push(
                    Diagnostic::at(
                        name.span,
                        format!("`{}` does not say what it is in the next iteration", name.text),
                    )
                    .help("write `then: stage.port`, with a stage of the loop"),
                );
            }
            carry.push(Carry { name, first, then });
        }
        let until = repeat.get("until").map(|entry| entry.value.clone());
        LoopDecl { frame, carry, until, at_most }
    }

    /// Lets `carry.data` in the stages of loops mean what it is; from outside, `learn.carry.data` is what another
    /// iteration would get.
    pub(super) fn carried(&mut self, stages: &mut [StageDecl], loops: &mut [LoopDecl]) {
        for of in 0..loops.len() {
            let mut inputs = std::mem::take(&mut loops[of].frame.inputs);
            inputs.iter_mut().for_each(|(_, connection)| self.connect_outside(connection, None, loops));
            loops[of].frame.inputs = inputs;
        }
        for stage in &mut *stages {
            for (_, connection) in &mut stage.inputs {
                self.connect_outside(connection, stage.body_of, loops);
            }
            let body_of = stage.body_of;
            for block in &mut stage.axes {
                let AxisBlock::Matrix { axes, .. } = block else { continue };
                for axis in axes {
                    if let Axis::From(axis) = axis {
                        axis.from = axis.from.take().and_then(|from| self.handed_on(from, body_of, loops));
                    }
                }
            }
        }
        for stage in stages {
            let Some(of) = stage.body_of else { continue };
            for (_, connection) in &mut stage.inputs {
                match connection {
                    Connection::Map(reference) => {
                        if let Some(found) = self.carry(reference, &loops[of]) {
                            *connection = found.map_or(Connection::Broken, |(carry, span)| {
                                Connection::Carry { of, carry, span }
                            });
                        }
                    }
                    Connection::Collect(items, _) => {
                        let mut broken = false;
                        for item in items {
                            if let Item::Output(reference) = item
                                && let Some(found) = self.carry(reference, &loops[of])
                            {
                                match found {
                                    Some((carry, span)) => *item = Item::Carry { of, carry, span },
                                    None => broken = true,
                                }
                            }
                        }
                        if broken {
                            *connection = Connection::Broken;
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Lets a reference from outside a loop to what it carries lead to the output that this is after an iteration.
    ///
    /// `None` where the loop carries no such thing, which is then reported.
    pub(super) fn handed_on(
        &mut self,
        mut reference: Reference,
        body_of: Option<usize>,
        loops: &[LoopDecl],
    ) -> Option<Reference> {
        let carries = |of: &LoopDecl| reference.stage.text == format!("{}.{CARRY}", of.frame.name.text);
        let Some(of) = loops.iter().position(carries).filter(|of| body_of != Some(*of)) else {
            return Some(reference);
        };
        let (carry, _) = self.carry(&reference, &loops[of])??;
        let then = loops[of].carry[carry].then.as_ref()?;
        reference.stage.text.clone_from(&then.stage.text);
        reference.port.text.clone_from(&then.port.text);
        Some(reference)
    }

    /// The same for all that an input is connected to.
    fn connect_outside(&mut self, connection: &mut Connection, body_of: Option<usize>, loops: &[LoopDecl]) {
        let mut sound = true;
        let mut follow = |reference: &mut Reference| match self.handed_on(reference.clone(), body_of, loops) {
            Some(found) => *reference = found,
            None => sound = false,
        };
        match connection {
            Connection::Map(reference) | Connection::Partial { from: reference, .. } => follow(reference),
            Connection::Collect(items, _) => items.iter_mut().for_each(|item| match item {
                Item::Output(reference) => follow(reference),
                Item::External(_) | Item::Carry { .. } => {}
            }),
            Connection::External(..)
            | Connection::Entry(_)
            | Connection::Carry { .. }
            | Connection::Broken => {}
        }
        if !sound {
            *connection = Connection::Broken;
        }
    }

    /// What a reference names, if it is to something carried: nothing, if there is no such thing.
    #[allow(clippy::option_option, reason = "another reference, and a wrong one, are two answers")]
    fn carry(&mut self, reference: &Reference, of: &LoopDecl) -> Option<Option<(usize, Span)>> {
        if reference.stage.text != format!("{}.{CARRY}", of.frame.name.text) {
            return None;
        }
        let name = &reference.port.text;
        let found = of.carry.iter().position(|carry| carry.name.text == *name);
        if found.is_none() {
            let names = of.carry.iter().map(|carry| carry.name.text.as_str());
            self.problems.push(
                Diagnostic::at(reference.port.span, format!("the loop carries no `{name}`"))
                    .maybe_help(did_you_mean(name, names, "it carries")),
            );
        }
        Some(found.map(|found| (found, reference.span)))
    }
}
