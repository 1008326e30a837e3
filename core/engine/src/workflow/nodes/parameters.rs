//! The parameters of a node: computed, checked against the schema, and by the operation's own code.

use flow_plugin::{Checked, ParamProblem, Port, Spec};
use serde_json::Value;

use super::super::file::StageDecl;
use super::super::schema::{Schema, Shape};
use super::super::tree::{Data, Entry, Tree};
use super::super::validate::Validator;
use super::scope::uses;
use super::{Builder, Given, Last};
use crate::diagnostics::{Diagnostic, Span, closest};
use crate::expr::Scope;

impl Builder<'_> {
    #[allow(clippy::too_many_arguments, reason = "the stage's facts, computed once, and the row's scope")]
    pub(super) fn given(
        &mut self,
        stage: &StageDecl,
        spec: &Spec,
        schema: &Schema,
        seeds: Option<Span>,
        scope: &Scope<'_>,
        seed: &Option<Value>,
        tainted: bool,
        last: &mut Last,
    ) -> Given {
        if let Some(fixed) = &last.fixed {
            return fixed.clone();
        }
        let outline = last.with.clone();
        let written = outline.as_ref().unwrap_or(&stage.with);
        if stage.meant.contains(&"with") {
            let with = Tree::new(stage.with.span, Data::Map(Vec::new()));
            let (paths, doubtful) = (Vec::new().into(), Vec::new().into());
            let given = Given { value: Value::Null, paths, with: with.into(), doubtful, sound: false };
            last.fixed = Some(given.clone());
            return given;
        }
        let before = self.problems.len();
        let mut complete = true;
        let mut doubtful = Vec::new();
        let mut entries = Vec::with_capacity(written.entries().len() + 1);
        for entry in written.entries() {
            let value = self.eval(&entry.value, scope, tainted).unwrap_or_else(|| {
                complete = false;
                doubtful.push(entry.key.clone());
                entry.value.clone()
            });
            entries.push(Entry { key: entry.key.clone(), key_span: entry.key_span, value });
        }
        let takes_seed = seeds.is_some() && schema.property("seed").is_some();
        if let (Some(span), true) = (seeds, takes_seed) {
            match entries.iter().find(|entry| entry.key == "seed") {
                Some(entry) => {
                    self.problems.push(
                        Diagnostic::at(entry.key_span, "the seed is given twice")
                            .also(span, "each of these is the parameter `seed` of one node")
                            .help("remove one of the two"),
                    );
                    complete = false;
                }
                None => {
                    let value = Tree::from_value(seed.clone().unwrap_or(Value::from(0)), span, None);
                    entries.push(Entry { key: "seed".to_owned(), key_span: span, value });
                }
            }
        }
        let with = Tree::new(stage.with.span, Data::Map(entries));
        let place = self.place;
        let resolve = |path: &str, span: Span| place.resolve(path, span);
        let mut validator = Validator {
            operation: &spec.name,
            problems: &mut *self.problems,
            resolve: &resolve,
            paths: Vec::new(),
            found: 0,
            doubtful,
        };
        let missing = if stage.with.entries().is_empty() {
            stage.uses.as_ref().map_or(stage.name.span, |uses| uses.span)
        } else {
            stage.with.span
        };
        let value = validator.params(schema, &with, missing);
        let Validator { found, paths, doubtful, .. } = validator;
        for param in &paths {
            self.known.check(&param.path, param.span, &place.current, self.problems);
            self.externals.push((param.path.clone(), param.span));
        }
        let sound = complete && found == 0 && self.problems.len() == before;
        let given = Given { value, paths: paths.into(), with: with.into(), doubtful: doubtful.into(), sound };
        let varies = takes_seed || uses(written, |root| matches!(root, "matrix" | "seed" | "resources"));
        if !varies {
            last.fixed = Some(given.clone());
        }
        given
    }

    /// Asks the operation's own code for defaults, checks and output types.
    pub(super) fn checked(
        &mut self,
        stage: &StageDecl,
        spec: &Spec,
        given: &Given,
        connected: Vec<Port>,
        last: &mut Last,
    ) -> Checked {
        let declared =
            || Checked { params: given.value.clone(), outputs: spec.outputs.clone(), continues: false };
        if !given.sound {
            self.check_the_sound(stage, spec, given, &connected);
            return declared();
        }
        if let Some((value, ports, checked)) = &last.checked
            && *value == given.value
            && *ports == connected
        {
            return checked.clone();
        }
        match self.catalog.check(&spec.name, &given.value, &connected) {
            Ok(checked) => {
                last.checked = Some((given.value.clone(), connected, checked.clone()));
                checked
            }
            Err(found) => {
                self.report(stage, spec, given, found);
                declared()
            }
        }
    }

    /// Where some parameters are wrong, the operation's own code can still look at the others, so that what it
    /// finds is reported together with the rest. Something else stands in for those that are wrong; what is
    /// said about a relation to one of them is left for when it is right.
    fn check_the_sound(&mut self, stage: &StageDecl, spec: &Spec, given: &Given, connected: &[Port]) {
        let Some(schema) = self.schemas.get(&spec.name).cloned() else { return };
        let (Shape::Object(object), Value::Object(mut params)) = (&schema.shape, given.value.clone()) else {
            return;
        };
        // A misspelt name leaves the one in doubt that was meant.
        let known = || object.properties.iter().map(|(name, _)| name.as_str());
        let meant = given.doubtful.iter().filter_map(|name| closest(name, known()));
        let doubtful: Vec<&str> = given.doubtful.iter().map(String::as_str).chain(meant).collect();
        params.retain(|name, _| !doubtful.contains(&name.as_str()));
        for name in object
            .required
            .iter()
            .filter(|name| given.with.get(name).is_none() || doubtful.contains(&name.as_str()))
        {
            match schema.property(name).and_then(Schema::stand_in) {
                Some(value) => drop(params.insert(name.clone(), value)),
                None => return,
            }
        }
        let Err(mut found) = self.catalog.check(&spec.name, &Value::Object(params), connected) else {
            return;
        };
        found.retain(|problem| {
            let of = problem.at.split('.').next().unwrap_or_default();
            let said = format!("{} {}", problem.message, problem.hint.as_deref().unwrap_or_default());
            let mut words = said.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
            given.with.get(of).is_some()
                && !doubtful.contains(&of)
                && !words.any(|word| doubtful.contains(&word))
        });
        self.report(stage, spec, given, found);
    }

    /// Says what the operation's own code has found.
    fn report(&mut self, stage: &StageDecl, spec: &Spec, given: &Given, found: Vec<ParamProblem>) {
        for problem in found {
            let span = place_of(&given.with, &problem.at).unwrap_or_else(|| {
                if given.with.entries().is_empty() {
                    stage.uses.as_ref().map_or(stage.name.span, |uses| uses.span)
                } else {
                    given.with.span
                }
            });
            let message = match problem.at.as_str() {
                "" => format!("`{}`: {}", spec.name, problem.message),
                at => format!("`{at}`: {}", problem.message),
            };
            let diagnostic = Diagnostic::at(span, message).topic(format!("check {}", problem.at));
            self.problems.push(diagnostic.maybe_help(problem.hint));
        }
    }
}

/// The place of a dotted path below a tree: its nearest part that is written.
fn place_of(tree: &Tree, at: &str) -> Option<Span> {
    let mut place = tree;
    let mut span = None;
    for part in at.split('.').filter(|part| !part.is_empty()) {
        let next = match &place.data {
            Data::Map(_) => place.get(part).map(|entry| &entry.value),
            Data::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        match next {
            Some(next) => {
                place = next;
                span = Some(next.span);
            }
            None => break,
        }
    }
    span
}
