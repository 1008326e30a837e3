//! What is fuzzed: each target reads text that flow did not write, and says what must hold whatever the text is.

mod expression;
mod key;
mod protocol;
mod workflow;

use crate::random::Random;

/// Something that reads text.
pub trait Target {
    /// Its name, which is also that of its folders in `corpus` and `found`.
    fn name(&self) -> &'static str;
    /// Changes a text, with pieces of another, mostly so that it stays a text of this language.
    fn mutate(&self, random: &mut Random, text: &mut String, other: &str);
    /// Reads a text. Panics where something that must hold does not.
    fn check(&mut self, text: &str);
}

/// The names of the targets.
pub const NAMES: [&str; 4] = ["workflow", "expression", "protocol", "key"];

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Option<Box<dyn Target>> {
    Some(match name {
        "workflow" => Box::new(workflow::Workflow::new()),
        "expression" => Box::new(expression::Expression::new()),
        "protocol" => Box::new(protocol::Protocol::new()),
        "key" => Box::new(key::Key::new()),
        _ => return None,
    })
}

/// The bytes that a text stands for: this one character for a byte that is not UTF-8.
fn bytes(text: &str) -> Vec<u8> {
    const NOT_UTF8: &str = "\u{10ffff}";
    text.split(NOT_UTF8).map(str::as_bytes).collect::<Vec<_>>().join(&0xff)
}
