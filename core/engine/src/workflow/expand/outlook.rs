//! The axes that a stage will have, and what their values will look like: names in expressions are checked against
//! that while the values are not known yet.

use flow_plugin::Kind;

use super::super::file::{Axis, AxisBlock, Connection, FromAxis, Item, StageDecl};
use super::turns::{ITERATION, is_history};
use super::{Expander, Looped};
use crate::expr::Shape;

/// Axes by name, in no certain order, and the shapes of their values.
pub(in crate::workflow) type Outlook = Vec<(String, Shape)>;

impl Expander<'_> {
    /// The axes of a stage; none where something is wrong with them, which is reported elsewhere.
    pub(super) fn outlook(&self, stage: &StageDecl, of: Option<&Looped>) -> Option<Outlook> {
        let mut axes = Outlook::new();
        if let Some(looped) = of {
            add(&mut axes, looped.frame.outlook.clone()?);
            add(&mut axes, vec![(ITERATION.to_owned(), Shape::Any)]);
        }
        for (_, connection) in &stage.inputs {
            let inherited = match connection {
                Connection::Map(from) => self.seen(stage, &from.stage.text, false)?,
                Connection::Partial { from, over: Some(over), .. } => {
                    let mut seen = self.seen(stage, &from.stage.text, is_history(Some(over)))?;
                    seen.retain(|(axis, _)| !over.iter().any(|word| word.text == *axis));
                    seen
                }
                Connection::Collect(items, _)
                    if items.iter().any(|item| !matches!(item, Item::External(_))) =>
                {
                    // In a loop such a collection is over one iteration, whose axes the stage has anyway.
                    continue;
                }
                Connection::Broken => return None,
                _ => continue,
            };
            add(&mut axes, inherited);
        }
        for block in &stage.axes {
            match block {
                AxisBlock::Matrix { axes: written, include, .. } => {
                    for axis in written {
                        match axis {
                            Axis::Written(entry) => {
                                // Of files and rows something is known; of a value that is written, all but what it is.
                                let shape = match entry.value.get("files") {
                                    Some(_) => Shape::with(&["path", "stem"]),
                                    None => Shape::Any,
                                };
                                add(&mut axes, vec![(entry.key.clone(), shape)]);
                            }
                            Axis::From(from) => add(&mut axes, self.of_output(stage, from)?),
                        }
                    }
                    if written.is_empty() && include.is_some() {
                        // The cells say by themselves which axes there are.
                        return None;
                    }
                }
                AxisBlock::Zip { axes: written, .. } => {
                    add(&mut axes, written.iter().map(|entry| (entry.key.clone(), Shape::Any)).collect());
                }
                AxisBlock::Seeds { .. } => add(&mut axes, vec![("seed".to_owned(), Shape::Any)]),
            }
        }
        Some(axes)
    }

    /// The axes of a stage before as this one sees them.
    fn seen(&self, stage: &StageDecl, name: &str, all: bool) -> Option<Outlook> {
        let (number, found) = self.reached(name)?;
        let mut axes = found.outlook.clone()?;
        let outside = self.file.stages[number].body_of.filter(|of| stage.body_of != Some(*of));
        if outside.is_some() && !all {
            axes.retain(|(axis, _)| axis != ITERATION);
        }
        Some(axes)
    }

    /// An axis over what an output holds, and those of the stage that makes it.
    fn of_output(&self, stage: &StageDecl, axis: &FromAxis) -> Option<Outlook> {
        let from = axis.from.as_ref()?;
        let mut axes = self.seen(stage, &from.stage.text, false)?;
        let spec = self.linked.spec(self.linked.stage(&from.stage.text)?)?;
        let port = spec.outputs.iter().find(|port| port.name == from.port.text)?;
        let shape = match port.kind {
            Kind::Folder => Shape::with(&["name", "stem"]),
            _ => Shape::Any,
        };
        axes.push((axis.name.text.clone(), shape));
        Some(axes)
    }
}

fn add(axes: &mut Outlook, more: Outlook) {
    for (axis, shape) in more {
        if !axes.iter().any(|(known, _)| *known == axis) {
            axes.push((axis, shape));
        }
    }
}
