//! Operations on text files.

use std::fs;

use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, Port, Result, Spec};

/// Writes a text.
pub(crate) struct Text;

/// Parameters of `demo/text`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct TextParams {
    /// What to write.
    text: String,
}

impl Operation for Text {
    type Params = TextParams;

    fn spec(&self) -> Spec {
        Spec::new("text", 1, "Writes a text file.").output(Port::new("text", Kind::File, "The text."))
    }

    fn run(&self, params: TextParams, context: &Context) -> Result<()> {
        fs::write(context.output("text")?, params.text)?;
        Ok(())
    }
}

/// Joins texts.
pub(crate) struct Join;

/// Parameters of `demo/join`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct JoinParams {
    /// What to put between two parts.
    #[serde(default = "newline")]
    separator: String,
}

fn newline() -> String {
    "\n".into()
}

impl Operation for Join {
    type Params = JoinParams;

    fn spec(&self) -> Spec {
        Spec::new("join", 1, "Joins text files, in the order given.")
            .input(Port::new("parts", Kind::File, "The files to join.").many())
            .output(Port::new("text", Kind::File, "All parts, one after the other."))
    }

    fn run(&self, params: JoinParams, context: &Context) -> Result<()> {
        let parts = context.inputs("parts").iter().map(|part| fs::read_to_string(&part.path));
        let parts = parts.collect::<std::io::Result<Vec<_>>>()?;
        fs::write(context.output("text")?, parts.join(&params.separator))?;
        Ok(())
    }
}

/// Keeps matching lines.
pub(crate) struct Grep;

/// Parameters of `demo/grep`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct GrepParams {
    /// Lines that contain this are kept.
    contains: String,
    /// Keep the other lines instead.
    #[serde(default)]
    invert: bool,
}

impl Operation for Grep {
    type Params = GrepParams;

    fn spec(&self) -> Spec {
        Spec::new("grep", 1, "Keeps the lines of a text file that contain a word.")
            .input(Port::new("text", Kind::File, "The file to search."))
            .output(Port::new("text", Kind::File, "The lines that were kept."))
    }

    fn run(&self, params: GrepParams, context: &Context) -> Result<()> {
        let text = fs::read_to_string(&context.input("text")?.path)?;
        let kept = text.lines().filter(|line| line.contains(&params.contains) != params.invert);
        fs::write(context.output("text")?, kept.map(|line| format!("{line}\n")).collect::<String>())?;
        Ok(())
    }
}
