//! What is written under `matrix`, `zip` and `seeds`.

use super::super::tree::{Data, Entry, Tree};
use super::{Axis, AxisBlock, FromAxis, Reader, Word, bad_name, is_name};

impl Reader<'_> {
    pub(super) fn axes(&mut self, body: &Tree) -> Vec<AxisBlock> {
        let mut blocks = Vec::new();
        for entry in body.entries() {
            let span = entry.key_span;
            match entry.key.as_str() {
                "matrix" => {
                    let entries =
                        self.mapping(&entry.value, "`matrix` must be a mapping of axes to lists of values");
                    let special = |key: &str| entry.value.get(key).map(|entry| entry.value.clone());
                    let axes: Vec<Entry> = entries
                        .iter()
                        .filter(|entry| !matches!(entry.key.as_str(), "include" | "exclude"))
                        .cloned()
                        .collect();
                    self.axis_names(&axes);
                    let axes = axes.into_iter().map(|axis| self.axis(axis)).collect();
                    let (include, exclude) = (special("include"), special("exclude"));
                    blocks.push(AxisBlock::Matrix { axes, include, exclude, span });
                }
                "zip" => {
                    let axes =
                        self.mapping(&entry.value, "`zip` must be a mapping of axes to lists of values");
                    self.axis_names(axes);
                    blocks.push(AxisBlock::Zip { axes: axes.to_vec(), span });
                }
                "seeds" => blocks.push(AxisBlock::Seeds { values: entry.value.clone(), span }),
                _ => {}
            }
        }
        blocks
    }

    fn axis(&mut self, axis: Entry) -> Axis {
        let (Data::Map(entries), Some(from)) = (&axis.value.data, axis.value.get("from")) else {
            return Axis::Written(axis);
        };
        self.known_keys(entries, &["from", "key"], "an axis from an output");
        let from = self.reference(&from.value);
        let key = axis.value.get("key").and_then(|key| self.word(&key.value, "`key`"));
        Axis::From(FromAxis { name: Word { text: axis.key, span: axis.key_span }, from, key })
    }

    fn axis_names(&mut self, axes: &[Entry]) {
        for axis in axes.iter().filter(|axis| !is_name(&axis.key)) {
            let word = Word { text: axis.key.clone(), span: axis.key_span };
            self.problems.push(bad_name(&word, "axis"));
        }
    }
}
