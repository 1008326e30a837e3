//! What a loop carries from one iteration to the next, as an input.

use flow_plugin::{Port, Spec};

use super::super::axes::coordinates;
use super::super::expand::Link;
use super::super::file::{Connection, Reference};
use super::super::ports;
use super::Builder;
use crate::diagnostics::{Diagnostic, Span};
use crate::expr::Scope;
use crate::graph::{NodeId, Origin, Source};

impl Builder<'_> {
    /// The artifact that a node of a loop is given: the first one, or what the iteration before has made.
    #[allow(clippy::too_many_arguments, reason = "the node's facts, and which of the things carried")]
    pub(super) fn carried(
        &mut self,
        number: usize,
        (of, carry, span): (usize, usize, Span),
        spec: &Spec,
        port: &Port,
        scope: &Scope<'_>,
        row: usize,
    ) -> Option<Source> {
        let (file, loops, expanded) = (self.file, self.loops, self.expanded);
        let (decl, looped) = (&file.loops[of].carry[carry], &loops[of]);
        self.fits(of, carry, spec, port, span);
        if expanded[number].tainted {
            return None;
        }
        let turn = &looped.turns[expanded[number].turns[row]];
        if let Some(previous) = turn.previous {
            let then = decl.then.as_ref()?;
            let stage = self.linked.stage(&then.stage.text)?;
            // There is one, or that has been reported.
            let made = expanded[stage].row_in(previous)?;
            let node = NodeId(self.starts[stage] + made);
            let from = Origin::Output { node, port: then.port.text.clone() };
            return Some(Source { from, coordinates: coordinates(&expanded[stage].cells[made]).into() });
        }
        let frame = &file.loops[of].frame;
        match decl.first.map(|first| (&frame.inputs[first].1, &looped.frame.links[first])) {
            // No pattern, which has been refused: one file.
            Some((Connection::External(path, _), _)) => {
                self.external(path, spec, port, scope, false).into_iter().next()
            }
            Some((Connection::Map(reference), Link::One { stage, rows })) => {
                Some(self.first(*stage, rows[turn.outer], reference))
            }
            Some((Connection::Map(reference), Link::Group { stage, groups, rows })) => {
                let row = *groups[rows[turn.outer]].first()?;
                Some(self.first(*stage, row, reference))
            }
            _ if port.optional => None,
            _ => {
                let name = &decl.name.text;
                self.problems.push(
                    Diagnostic::at(span, format!("in the first iteration there is no `{name}`"))
                        .help(format!("write what it is then: `{name}: {{ first: stage.port, then: … }}`")),
                );
                None
            }
        }
    }

    fn first(&self, stage: usize, row: usize, reference: &Reference) -> Source {
        let from =
            Origin::Output { node: NodeId(self.starts[stage] + row), port: reference.port.text.clone() };
        Source { from, coordinates: coordinates(&self.expanded[stage].cells[row]).into() }
    }

    /// Checks that an input takes what is carried, the first one and the next.
    fn fits(&mut self, of: usize, carry: usize, spec: &Spec, port: &Port, span: Span) {
        let of = &self.file.loops[of];
        let carry = &of.carry[carry];
        let first = carry.first.and_then(|first| match &of.frame.inputs[first].1 {
            Connection::Map(reference) => Some(reference),
            _ => None,
        });
        for reference in first.into_iter().chain(&carry.then) {
            let made_by = self.linked.stage(&reference.stage.text).and_then(|stage| self.linked.spec(stage));
            let output = made_by
                .and_then(|spec| spec.outputs.iter().find(|output| output.name == reference.port.text));
            let name = format!("{}.{}", reference.stage.text, reference.port.text);
            if let Some(problem) =
                output.and_then(|output| ports::check(&name, output, &spec.name, port, reference.span))
            {
                self.problems.push(problem.also(span, "here"));
            }
        }
    }
}
