//! Types along an edge: what an output gives must be what the input takes.

use flow_artifact::units::Unit;
use flow_plugin::{Port, VariableType};

use crate::diagnostics::{Diagnostic, Span};

/// What is wrong with connecting an output to an input, if anything. `from` names the output as the workflow does.
pub(super) fn check(
    from: &str,
    output: &Port,
    operation: &str,
    input: &Port,
    span: Span,
) -> Option<Diagnostic> {
    let fail = |message: String| Diagnostic::at(span, message);
    let takes = format!("the input `{}` of `{operation}`", input.name);
    if output.kind != input.kind {
        return Some(
            fail(format!("{takes} takes a {}, `{from}` is a {}", input.kind, output.kind))
                .label(format!("this is a {}", output.kind)),
        );
    }
    if let Some(wanted) = &input.nominal
        && output.nominal.as_ref() != Some(wanted)
    {
        let given = match &output.nominal {
            Some(given) => format!("is `{given}`"),
            None => "has no type".to_owned(),
        };
        return Some(fail(format!("{takes} takes the type `{wanted}`, `{from}` {given}")));
    }
    // An output without declared variables is checked when it arrives.
    if output.variables.is_empty() {
        return None;
    }
    for wanted in &input.variables {
        let Some(given) = output.variables.iter().find(|variable| variable.name == wanted.name) else {
            let names: Vec<&str> = output.variables.iter().map(|v| v.name.as_str()).collect();
            return Some(
                fail(format!("{takes} needs the variable `{}`, which `{from}` does not have", wanted.name))
                    .note(format!("its variables are {}", crate::diagnostics::list(&names))),
            );
        };
        if let Err((message, note)) = variable(from, given, &takes, wanted) {
            let problem = fail(message);
            return Some(match note {
                Some(note) => problem.note(note),
                None => problem,
            });
        }
    }
    None
}

fn variable(
    from: &str,
    given: &VariableType,
    takes: &str,
    wanted: &VariableType,
) -> Result<(), (String, Option<String>)> {
    let name = &wanted.name;
    if !wanted.dtype.is_empty() && !given.dtype.is_empty() && given.dtype != wanted.dtype {
        let message =
            format!("{takes} takes `{name}` as {}, in `{from}` it is {}", wanted.dtype, given.dtype);
        return Err((message, None));
    }
    if !wanted.dims.is_empty() && !given.dims.is_empty() && given.dims != wanted.dims {
        let show = |dims: &[String]| format!("({})", dims.join(", "));
        let message = format!(
            "{takes} takes `{name}` with dimensions {}, in `{from}` it has {}",
            show(&wanted.dims),
            show(&given.dims)
        );
        return Err((message, None));
    }
    if given.units == wanted.units || wanted.units.is_empty() || given.units.is_empty() {
        return Ok(());
    }
    // Units that this program does not know are only equal to themselves.
    let (a, b) = (Unit::parse(&given.units).ok(), Unit::parse(&wanted.units).ok());
    let equivalent = a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a.equivalent(b));
    if equivalent {
        return Ok(());
    }
    let convertible = a.zip(b).is_some_and(|(a, b)| a.same_dimension(&b));
    let note = if convertible {
        "values are never converted silently: convert them in an operation between the two"
    } else {
        "these units measure different things"
    };
    let message =
        format!("{takes} takes `{name}` in `{}`, in `{from}` it is in `{}`", wanted.units, given.units);
    Err((message, Some(note.to_owned())))
}
