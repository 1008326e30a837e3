//! The command of a program's node: references found and checked, values computed.

use std::collections::BTreeMap;

use flow_plugin::{Kind, Spec};
use serde_json::{Map, Value};

use super::super::file::{StageDecl, is_name};
use super::super::programs;
use super::super::tree::{Data, Entry, Tree, within};
use super::scope::later;
use super::surroundings::plain;
use super::{Builder, Given};
use crate::diagnostics::{Diagnostic, Span, did_you_mean};
use crate::exec::{Command, Piece, Run, Symbol, shell};
use crate::expr::{Expr, Piece as Written, Scope, Template, Term, in_text};
use crate::graph::{RESOURCES, Source};

/// What a program's node comes to, beside its inputs.
#[derive(Default)]
pub(super) struct Program {
    /// The parameters in the key.
    pub(super) params: Value,
    /// What the worker is told beside them.
    pub(super) unkeyed: Map<String, Value>,
}

/// The stage's facts that finding references takes.
struct Facts<'f, 's> {
    spec: &'f Spec,
    scope: &'f Scope<'s>,
    tainted: bool,
}

/// A piece of a command as it is written.
enum Part {
    Text(String),
    Reference(Reference),
}

struct Reference {
    symbol: Symbol,
    /// The text that it always stands for, if that is known and one word.
    text: Option<String>,
    /// It stands for any number of words.
    several: bool,
    span: Span,
}

/// The longest script, in bytes: the system takes no longer argument.
const LONGEST: usize = 100_000;

/// The parameters of a program with a text for `run`, which is read by itself.
pub(super) fn outline(with: &Tree) -> Tree {
    let entries = with.entries().iter().map(|entry| {
        let value = match entry.key.as_str() {
            "run" => Tree::new(entry.value.span, Data::Text(String::new())),
            _ => entry.value.clone(),
        };
        Entry { key: entry.key.clone(), key_span: entry.key_span, value }
    });
    Tree::new(with.span, Data::Map(entries.collect()))
}

/// What the same expressions over `resources` come to in another scope; `None` where the command has none.
pub(super) fn told(unkeyed: &Map<String, Value>, scope: &Scope<'_>) -> Option<Value> {
    let texts = unkeyed.get(RESOURCES)?.as_object()?.keys();
    let value = |text: &String| Some((text.clone(), crate::expr::parse(text).ok()?.eval(scope).ok()?));
    Some(Value::Object(texts.filter_map(value).collect()))
}

impl Builder<'_> {
    /// Reads the command, and adds the files that it names to the inputs.
    pub(super) fn program(
        &mut self,
        stage: &StageDecl,
        spec: &Spec,
        given: &Given,
        scope: &Scope<'_>,
        tainted: bool,
        inputs: &mut Vec<(String, Vec<Source>)>,
    ) -> Program {
        // What is wrong there has been reported.
        let known = given.sound || self.outlook.is_some();
        let Some(run) = stage.with.get("run").filter(|_| known) else { return Program::default() };
        let facts = Facts { spec, scope, tainted };
        let Some(parts) = self.parts(&run.value, &facts) else { return Program::default() };
        self.unwritten(stage, &parts);
        let list = matches!(run.value.data, Data::List(_));
        let read = if list { Some(arguments(&parts)) } else { self.shell(&parts[0], run.value.span) };
        let Some((command, words)) = read else { return Program::default() };
        let names = |key: &str| -> Vec<String> {
            let names = given.value.get(key).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let at = |key: &str| stage.with.get(key).map_or(run.key_span, |entry| entry.value.span);
        let untracked = names("untracked");
        for word in words.iter().filter(|word| !untracked.contains(word)) {
            self.track(word, run.value.span, inputs);
        }
        let written = given.value.get("environment").and_then(Value::as_str);
        let folder = written.map(|written| {
            let folder = self.place.base(at("environment")).join(written);
            plain(&folder).unwrap_or(folder)
        });
        let environment = written
            .zip(folder.as_ref())
            .and_then(|(w, folder)| self.environment(w, folder, at("environment")));
        let bin = folder.as_ref().map(|folder| folder.join("bin"));
        for name in names("programs") {
            self.executable(&name, bin.as_deref(), at("programs"), inputs);
        }
        let env = names("env").into_iter().map(|name| {
            let value = self.variable(&name, at("env"));
            (name, value)
        });
        let kinds = spec.outputs.iter().filter(|port| port.kind != Kind::File);
        let command = Command {
            run: command,
            env: env.collect(),
            forms: stage.forms.iter().map(|(name, form, _)| (name.clone(), *form)).collect(),
            kinds: kinds.map(|port| (port.name.clone(), port.kind)).collect(),
            environment,
            environment_folder: None,
            folder: None,
            resources: BTreeMap::new(),
        };
        let mut unkeyed = Map::new();
        unkeyed.insert("folder".to_owned(), self.place.base(run.value.span).to_string_lossy().into());
        if let Some(folder) = folder {
            unkeyed.insert("environment_folder".to_owned(), folder.to_string_lossy().into());
        }
        let resources = parts.iter().flatten().filter_map(|part| match part {
            Part::Reference(Reference { symbol: Symbol::Resources(expression), .. }) => Some(expression),
            _ => None,
        });
        let resources: Map<String, Value> = resources
            .filter_map(|text| Some((text.clone(), crate::expr::parse(text).ok()?.eval(scope).ok()?)))
            .collect();
        if !resources.is_empty() {
            unkeyed.insert(RESOURCES.to_owned(), resources.into());
        }
        // Texts and maps with text keys: nothing that cannot be written as JSON.
        Program { params: serde_json::to_value(command).unwrap_or_default(), unkeyed }
    }

    /// The command in parts: for a list one list for each argument, for a line a single one.
    fn parts(&mut self, run: &Tree, facts: &Facts<'_, '_>) -> Option<Vec<Vec<Part>>> {
        let problem = |tree: &Tree, what: &str| {
            Diagnostic::at(tree.span, format!("{what} must be a text"))
                .label(format!("this is {}", tree.describe()))
        };
        let items = match &run.data {
            Data::List(items) => items.as_slice(),
            _ => std::slice::from_ref(run),
        };
        let list = matches!(run.data, Data::List(_));
        let mut all = Vec::with_capacity(items.len());
        let mut sound = true;
        for item in items {
            let parts = match &item.data {
                Data::Text(text) => Some(vec![Part::Text(text.clone())]),
                Data::Number(number) if list => Some(vec![Part::Text(number.to_string())]),
                Data::Template(template) => self.references(template, item.span, facts),
                Data::Broken => None,
                _ => {
                    let what = if list { "an argument of `run`" } else { "`run`" };
                    let help = "write a line for the shell, or a list of a program and its arguments";
                    self.problems.push(problem(item, what).help(help));
                    None
                }
            };
            sound &= parts.is_some();
            all.extend(parts);
        }
        let texts = || {
            all.iter().flatten().filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Reference(reference) => reference.text.as_deref(),
            })
        };
        let written = all.iter().flatten().any(|part| match part {
            Part::Text(text) => !text.trim().is_empty(),
            Part::Reference(_) => true,
        });
        let problem = if sound && !written {
            Some(Diagnostic::at(run.span, "the command is empty").help("say what to run: `run: \"sort …\"`"))
        } else if texts().any(|text| text.contains('\0')) {
            Some(Diagnostic::at(run.span, "a command cannot hold the character NUL"))
        } else if texts().map(str::len).sum::<usize>() > LONGEST {
            let message = format!("the command is longer than {LONGEST} bytes");
            Some(Diagnostic::at(run.span, message).help("put it into a script, and run that"))
        } else {
            None
        };
        sound &= problem.is_none();
        if let Some(problem) = problem {
            self.problems.push(problem);
        }
        sound.then_some(all)
    }

    fn references(&mut self, template: &Template, span: Span, facts: &Facts<'_, '_>) -> Option<Vec<Part>> {
        let parts: Vec<Option<Part>> = template
            .pieces
            .iter()
            .map(|piece| match piece {
                Written::Text(text) => Some(Part::Text(text.clone())),
                Written::Expression { expr, written, range } => {
                    let place = |this: &Self, expr: &std::ops::Range<usize>| {
                        within(this.problems, span, written, range.start, expr.clone())
                    };
                    let own = place(self, &expr.range);
                    match self.symbol(expr, own, facts) {
                        Ok(Some((symbol, text, several))) => {
                            Some(Part::Reference(Reference { symbol, text, several, span: own }))
                        }
                        Ok(None) => None,
                        Err(problem) => {
                            let diagnostic = Diagnostic::at(place(self, &problem.range), problem.message);
                            self.problems.push(diagnostic.topic("expression").maybe_help(problem.hint));
                            None
                        }
                    }
                }
            })
            .collect();
        parts.into_iter().collect()
    }

    /// What an expression in a command stands for: the symbol, its one text if it always has the same, and
    /// whether it stands for several words. None if that cannot be known, which has been reported.
    fn symbol(
        &mut self,
        expr: &Expr,
        span: Span,
        facts: &Facts<'_, '_>,
    ) -> Result<Option<(Symbol, Option<String>, bool)>, crate::expr::Problem> {
        let (mut ports, mut resources, mut others, mut unknown) = (false, false, false, false);
        let params = self.params;
        expr.references(&mut |root, _| match root {
            "inputs" | "outputs" => ports = true,
            "resources" => resources = true,
            _ => {
                others = true;
                unknown |= match root {
                    "params" => !params.whole,
                    "matrix" | "seed" => facts.tainted,
                    _ => false,
                };
            }
        });
        if ports {
            return Ok(self.port(expr, span, facts.spec));
        }
        if unknown {
            return later(expr, facts.scope, self.outlook, self.params).map(|()| None);
        }
        let value = expr.eval(facts.scope)?;
        let several = value.is_array();
        let items = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
        for item in items {
            in_text(item).map_err(|message| {
                let message = message.replace("inside a text", "in a command");
                crate::expr::Problem::new(expr.range.clone(), message)
            })?;
        }
        if resources && others {
            let message = "`resources` cannot be mixed with other values here: they are in no key";
            let hint = Some("use `${{ resources.cpus }}` by itself".to_owned());
            return Err(crate::expr::Problem::new(expr.range.clone(), message).hint(hint));
        }
        if resources {
            return Ok(Some((Symbol::Resources(expr.to_string()), None, several)));
        }
        let text = if several { None } else { in_text(&value).ok() };
        Ok(Some((Symbol::Value(value), text, several)))
    }

    /// An expression that names an input or an output.
    fn port(&mut self, expr: &Expr, span: Span, spec: &Spec) -> Option<(Symbol, Option<String>, bool)> {
        let found = member(expr).and_then(|(of, name)| match (&of.term, member(of)) {
            (Term::Name(root), _) => Some((root.as_str(), name, false)),
            (_, Some((root, inner))) if name == "list" => match &root.term {
                Term::Name(root) if root == "inputs" => Some((root.as_str(), inner, true)),
                _ => None,
            },
            _ => None,
        });
        let Some((root, name, list)) = found else {
            let problem = Diagnostic::at(span, "an input or output stands alone in an expression");
            self.problems.push(problem.help(
                "write `${{ inputs.NAME }}`, `${{ inputs.NAME.list }}` or `${{ outputs.NAME }}`, and the rest \
                 beside it",
            ));
            return None;
        };
        let ports = if root == "inputs" { &spec.inputs } else { &spec.outputs };
        let Some(port) = ports.iter().find(|port| port.name == name) else {
            let what = root.trim_end_matches('s');
            let names = ports.iter().map(|port| port.name.as_str());
            let example = if root == "inputs" { "STAGE.OUTPUT" } else { "file" };
            let help = did_you_mean(name, names, &format!("the {root} are"))
                .unwrap_or_else(|| format!("the stage has none; write `{root}: {{ {name}: {example} }}`"));
            let problem = Diagnostic::at(span, format!("the stage has no {what} `{name}`"));
            self.problems.push(problem.help(help));
            return None;
        };
        let many = root == "inputs" && programs::is_many(port);
        if list && !many {
            let problem =
                Diagnostic::at(span, format!("the input `{name}` is one artifact, not a collection"));
            self.problems.push(problem.help(format!("its path is {}", reference("inputs", name))));
            return None;
        }
        let name = name.to_owned();
        Some(match (root, list) {
            ("inputs", true) => (Symbol::List(name), None, false),
            ("inputs", false) => (Symbol::Input(name), None, many),
            _ => (Symbol::Output(name), None, false),
        })
    }

    /// Every output must be written to.
    fn unwritten(&mut self, stage: &StageDecl, parts: &[Vec<Part>]) {
        for output in stage.outputs.iter().flat_map(|(outputs, _)| outputs) {
            let mentioned = parts.iter().flatten().any(|part| {
                matches!(part, Part::Reference(Reference { symbol: Symbol::Output(name), .. }) if *name == output.key)
            });
            // A bad name has been reported.
            if !mentioned && is_name(&output.key) {
                let message = format!("the command does not write the output `{}`", output.key);
                let problem = Diagnostic::at(output.key_span, message);
                self.problems
                    .push(problem.help(format!("its path is {}", reference("outputs", &output.key))));
            }
        }
    }

    /// A line for the shell, and the words in it that always say the same.
    fn shell(&mut self, parts: &[Part], span: Span) -> Option<(Run, Vec<String>)> {
        let mut symbols = Vec::new();
        let mut references = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => symbols.extend(text.chars().map(shell::Symbol::Char)),
                Part::Reference(reference) => {
                    symbols.push(shell::Symbol::Reference(references.len()));
                    references.push(reference);
                }
            }
        }
        let texts: Vec<_> = references.iter().map(|reference| reference.text.clone()).collect();
        let line = match shell::read(&symbols, &texts) {
            Ok(line) => line,
            Err(problem) => {
                let diagnostic = match problem.reference {
                    Some(number) => Diagnostic::at(
                        references[number].span,
                        format!("a reference cannot stand {}", problem.message),
                    ),
                    None => Diagnostic::at(span, format!("in the command {}", problem.message)),
                };
                self.problems.push(diagnostic.help(problem.help));
                return None;
            }
        };
        let mut places = line.places.iter();
        let mut sound = true;
        let pieces = parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(Piece::Text(text.clone())),
            Part::Reference(reference) => {
                let place = places.next()?;
                if reference.several && !place.alone {
                    sound = false;
                    let problem = Diagnostic::at(reference.span, "this stands for several words");
                    self.problems
                        .push(problem.help("let it stand by itself, with a space before and behind"));
                }
                let symbol = reference.symbol.clone();
                Some(if place.quoted { Piece::Quoted { quoted: symbol } } else { Piece::Plain(symbol) })
            }
        });
        let pieces = pieces.collect();
        sound.then_some((Run::Shell(pieces), line.words))
    }
}

/// A list of arguments, and those that always say the same.
fn arguments(parts: &[Vec<Part>]) -> (Run, Vec<String>) {
    let mut words = Vec::new();
    let arguments = parts.iter().map(|parts| {
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Reference(reference) => reference.text.as_deref(),
        });
        words.extend(texts.collect::<Option<String>>());
        parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Piece::Text(text.clone()),
                Part::Reference(reference) => Piece::Plain(reference.symbol.clone()),
            })
            .collect()
    });
    let arguments = arguments.collect();
    (Run::Arguments(arguments), words)
}

/// How a port is written in an expression.
fn reference(root: &str, name: &str) -> String {
    if name.contains('-') {
        format!("`${{{{ {root}['{name}'] }}}}`")
    } else {
        format!("`${{{{ {root}.{name} }}}}`")
    }
}

/// `a.b`, `a['b']`: what it is a member of, and its name.
fn member(expr: &Expr) -> Option<(&Expr, &str)> {
    match &expr.term {
        Term::Field(of, name) => Some((of, name)),
        Term::Index(of, index) => match &index.term {
            Term::Literal(Value::String(name)) => Some((of, name)),
            _ => None,
        },
        _ => None,
    }
}
