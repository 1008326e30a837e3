//! What is written of one stage.

use super::super::tree::{Data, Entry, Tree};
use super::{MATRIX, Reader, STAGE_KEYS, StageDecl, Word, bad_name, is_name};
use crate::diagnostics::Diagnostic;

impl Reader<'_> {
    /// A stage of which nothing is read but its axes.
    pub(super) fn bare_stage(&mut self, name: Word, body: &Tree) -> StageDecl {
        self.stage_name(&name, None);
        StageDecl {
            uses: None,
            inputs: Vec::new(),
            inputs_span: None,
            forms: Vec::new(),
            with: Tree::new(name.span, Data::Map(Vec::new())),
            axes: self.axes(body),
            when: body.get("when").map(|entry| entry.value.clone()),
            needs: Vec::new(),
            resources: None,
            retry: None,
            timeout: None,
            frozen: None,
            publish: Vec::new(),
            outputs: None,
            meant: Vec::new(),
            body_of: None,
            name,
        }
    }

    fn stage_name(&mut self, name: &Word, body_of: Option<usize>) {
        // A stage of a loop or of an included file has the prefix in front, which has been checked.
        let own = match name.text.rsplit_once('.') {
            Some((_, own)) if name.span.source > 0 || body_of.is_some() => own,
            _ => name.text.as_str(),
        };
        if !is_name(own) {
            self.problems.push(bad_name(name, "stage"));
        } else if own == MATRIX && body_of.is_none() {
            self.problems.push(
                Diagnostic::at(name.span, format!("`{MATRIX}` cannot be the name of a stage"))
                    .help(format!("`{MATRIX}.AXIS` under `inputs` means the entry that an axis stands for")),
            );
        }
    }

    pub(super) fn stage(&mut self, entry: &Entry, body_of: Option<usize>) -> StageDecl {
        let name = Word { text: entry.key.clone(), span: entry.key_span };
        self.stage_name(&name, body_of);
        let body = &entry.value;
        let known = self.mapping(body, "a stage must be a mapping with the key `uses` at least");
        let meant = self.known_keys(known, &STAGE_KEYS, "a stage");
        let uses = match body.get("uses") {
            Some(uses) => self.word(&uses.value, "`uses`"),
            None => {
                if matches!(body.data, Data::Map(_) | Data::Null) && !meant.contains(&"uses") {
                    self.problems.push(
                        Diagnostic::at(
                            name.span,
                            format!("the stage `{}` does not say what it runs", name.text),
                        )
                        .help("name an operation: `uses: plugin/verb`; `flow plugins` lists them"),
                    );
                }
                None
            }
        };
        let with = match body.get("with") {
            Some(with) if matches!(with.value.data, Data::Map(_)) => with.value.clone(),
            Some(with) => {
                self.mapping(&with.value, "`with` must be a mapping of parameters to values");
                Tree::new(with.key_span, Data::Map(Vec::new()))
            }
            None => Tree::new(name.span, Data::Map(Vec::new())),
        };
        let inputs_entry = body.get("inputs");
        let mut forms = Vec::new();
        let inputs = match inputs_entry {
            Some(inputs) => self
                .mapping(&inputs.value, "`inputs` must be a mapping of ports to what is connected to them")
                .iter()
                .map(|entry| {
                    let port = Word { text: entry.key.clone(), span: entry.key_span };
                    let (connection, form) = self.formed(&entry.value);
                    forms.extend(form.map(|(form, span)| (entry.key.clone(), form, span)));
                    (port, connection)
                })
                .collect(),
            None => Vec::new(),
        };
        let publish = match body.get("publish") {
            Some(publish) => {
                self.mapping(&publish.value, "`publish` must be a mapping of outputs to paths").to_vec()
            }
            None => Vec::new(),
        };
        let outputs = body.get("outputs").map(|entry| {
            let what = "`outputs` must be a mapping of names to kinds, such as `{ result: file }`";
            let outputs = self.mapping(&entry.value, what).to_vec();
            for output in outputs.iter().filter(|output| !is_name(&output.key)) {
                let word = Word { text: output.key.clone(), span: output.key_span };
                self.problems.push(bad_name(&word, "output"));
            }
            (outputs, entry.key_span)
        });
        let optional = |key: &str| body.get(key).map(|entry| entry.value.clone());
        StageDecl {
            uses,
            inputs,
            inputs_span: inputs_entry.map(|entry| entry.key_span),
            forms,
            with,
            axes: self.axes(body),
            when: optional("when"),
            needs: self.needs(body),
            resources: optional("resources"),
            retry: optional("retry"),
            timeout: optional("timeout"),
            frozen: optional("frozen"),
            publish,
            outputs,
            meant,
            body_of,
            name,
        }
    }

    fn needs(&mut self, body: &Tree) -> Vec<Word> {
        match body.get("needs").map(|entry| &entry.value) {
            Some(one) if matches!(one.data, Data::Text(_)) => self.word(one, "`needs`").into_iter().collect(),
            Some(many) => self
                .list(many, "`needs` must be a list of stages")
                .iter()
                .filter_map(|item| self.word(item, "a stage under `needs`"))
                .collect(),
            None => Vec::new(),
        }
    }
}
