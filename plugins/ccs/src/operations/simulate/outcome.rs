//! What became of one sample, and how it is kept until all are done.

use std::fs;
use std::path::{Path, PathBuf};

use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Digest, Result, serde_json};

use crate::data::Solved;

/// What became of one sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It was simulated to the end.
    Solved {
        /// The simulation.
        solved: Solved,
        /// Attempts it took: more than one if steps had to be made more careful.
        attempts: u32,
    },
    /// It was left out.
    Failed(Failure),
}

/// Why a sample was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "flow_plugin::serde")]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// What the simulator said in the last attempt.
    pub(super) message: String,
    pub(super) attempts: u32,
}

/// Sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
pub(super) enum FailureKind {
    /// The injector would need more pressure than allowed: the draw is no possible project.
    PressureLimit,
    /// The simulator did not get to the end.
    NotConverged,
}

impl FailureKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PressureLimit => "pressure_limit",
            Self::NotConverged => "not_converged",
        }
    }
}

/// The part of a kept outcome that is not arrays.
#[derive(Serialize, Deserialize)]
#[serde(crate = "flow_plugin::serde")]
struct Header {
    failure: Option<Failure>,
    attempts: u32,
    newton: i32,
    steps: i32,
    mass_error: f32,
    /// Values in each of the two fields.
    values: usize,
}

/// A folder with one file for each finished sample, from which a broken-off run goes on.
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, sample: i64) -> PathBuf {
        self.folder.join(format!("{sample}.sample"))
    }

    /// Keeps an outcome: written under another name, then renamed, so that a file by the name is whole.
    pub(super) fn keep(&self, sample: i64, outcome: &Outcome) -> Result<()> {
        let body = encode(outcome)?;
        let temporary = self.folder.join(format!("{sample}.writing"));
        let mut bytes = Digest::of(&body).as_bytes().to_vec();
        bytes.extend(body);
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, self.path(sample))?;
        Ok(())
    }

    /// A kept outcome; `None` if there is none, or it is damaged.
    pub(super) fn find(&self, sample: i64) -> Option<Outcome> {
        let bytes = fs::read(self.path(sample)).ok()?;
        let (hash, body) = bytes.split_at_checked(32)?;
        if Digest::of(body).as_bytes() != hash {
            return None;
        }
        decode(body)
    }

    /// Removes the folder and all in it.
    pub(super) fn clear(self) -> Result<()> {
        Ok(fs::remove_dir_all(&self.folder)?)
    }
}

fn encode(outcome: &Outcome) -> Result<Vec<u8>> {
    let (header, fields) = match outcome {
        Outcome::Solved { solved, attempts } => {
            let header = Header {
                failure: None,
                attempts: *attempts,
                newton: solved.newton,
                steps: solved.steps,
                mass_error: solved.mass_error,
                values: solved.saturation.len(),
            };
            (header, [solved.saturation.as_slice(), solved.buildup.as_slice()])
        }
        Outcome::Failed(failure) => {
            let header = Header {
                failure: Some(failure.clone()),
                attempts: failure.attempts,
                newton: 0,
                steps: 0,
                mass_error: 0.0,
                values: 0,
            };
            (header, [[].as_slice(), [].as_slice()])
        }
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    for value in fields.into_iter().flatten() {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<Outcome> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
    if let Some(failure) = header.failure {
        return Some(Outcome::Failed(failure));
    }
    let values: Vec<f32> =
        bytes[end + 1..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    if values.len() != 2 * header.values {
        return None;
    }
    let (saturation, buildup) = values.split_at(header.values);
    Some(Outcome::Solved {
        solved: Solved {
            saturation: saturation.to_vec(),
            buildup: buildup.to_vec(),
            newton: header.newton,
            steps: header.steps,
            mass_error: header.mass_error,
        },
        attempts: header.attempts,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn outcomes_come_back_and_damaged_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(&folder.path().join("kept")).unwrap();
        let solved = Solved {
            saturation: vec![0.25, 0.5],
            buildup: vec![1.5, -2.0],
            newton: 7,
            steps: 3,
            mass_error: 1e-9,
        };
        let good = Outcome::Solved { solved, attempts: 2 };
        let kind = FailureKind::PressureLimit;
        let bad = Outcome::Failed(Failure { kind, message: "1200 bar\nneeded".into(), attempts: 1 });
        shelf.keep(4, &good).unwrap();
        shelf.keep(5, &bad).unwrap();
        assert_eq!(shelf.find(4), Some(good));
        assert_eq!(shelf.find(5), Some(bad));
        assert_eq!(shelf.find(6), None);
        let path = shelf.path(4);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(shelf.find(4), None);
        shelf.clear().unwrap();
        assert!(!folder.path().join("kept").exists());
    }
}
