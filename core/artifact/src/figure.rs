//! Figures: a folder of pictures, each as `NAME.svg` and `NAME.png`, with an `index.json` that gives their
//! order and captions. A folder without an index, as other programs leave it, is taken in order of names.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const INDEX: &str = "index.json";

/// One picture of a figure artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Its name: the file name without extension.
    pub name: String,
    /// What it shows.
    #[serde(default)]
    pub caption: String,
}

#[derive(Serialize, Deserialize)]
struct Index {
    figures: Vec<Picture>,
}

/// Writes pictures into a new folder.
pub struct FigureWriter {
    path: PathBuf,
    pictures: Vec<Picture>,
}

impl FigureWriter {
    /// Starts a figure artifact at a path at which nothing exists yet, in a folder that exists.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        fs::create_dir(path).map_err(Error::io("create", path))?;
        Ok(Self { path: path.to_owned(), pictures: Vec::new() })
    }

    /// Adds a picture in both forms.
    ///
    /// # Errors
    /// When the name is taken or cannot be a file's name, or a file cannot be written.
    pub fn add(&mut self, name: &str, caption: &str, svg: &str, png: &[u8]) -> Result<()> {
        check_name(&self.path, name)?;
        if self.pictures.iter().any(|picture| picture.name == name) {
            return Err(Error::request(format!("two pictures are called `{name}`")));
        }
        for (extension, bytes) in [("svg", svg.as_bytes()), ("png", png)] {
            let file = self.path.join(format!("{name}.{extension}"));
            fs::write(&file, bytes).map_err(Error::io("write", &file))?;
        }
        self.pictures.push(Picture { name: name.to_owned(), caption: caption.to_owned() });
        Ok(())
    }

    /// Writes the index.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<()> {
        let file = self.path.join(INDEX);
        let index = serde_json::to_string_pretty(&Index { figures: self.pictures })
            .map_err(|error| Error::invalid(&file, error.to_string()))?;
        fs::write(&file, index + "\n").map_err(Error::io("write", &file))
    }
}

/// The pictures of a figure artifact.
#[derive(Clone, Debug)]
pub struct Figures {
    path: PathBuf,
    pictures: Vec<Picture>,
}

impl Figures {
    /// Opens a figure artifact.
    ///
    /// # Errors
    /// When the folder cannot be read, has no pictures, or lacks one that its index names.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = path.join(INDEX);
        let pictures = if file.is_file() {
            let text = fs::read(&file).map_err(Error::io("read", &file))?;
            let index: Index = serde_json::from_slice(&text)
                .map_err(|error| Error::invalid(&file, format!("is not an index of figures: {error}")))?;
            index.figures
        } else {
            by_name(path)?
        };
        let figures = Self { path: path.to_owned(), pictures };
        for picture in &figures.pictures {
            check_name(path, &picture.name)?;
            if figures.svg(&picture.name).is_none() && figures.png(&picture.name).is_none() {
                return Err(Error::invalid(path, format!("has neither {0}.svg nor {0}.png", picture.name)));
            }
        }
        if figures.pictures.is_empty() {
            return Err(Error::invalid(path, "holds no pictures (SVG or PNG)"));
        }
        Ok(figures)
    }

    /// The pictures, in order.
    #[must_use]
    pub fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// The SVG file of a picture, if there is one.
    #[must_use]
    pub fn svg(&self, name: &str) -> Option<PathBuf> {
        Some(self.path.join(format!("{name}.svg"))).filter(|file| file.is_file())
    }

    /// The PNG file of a picture, if there is one.
    #[must_use]
    pub fn png(&self, name: &str) -> Option<PathBuf> {
        Some(self.path.join(format!("{name}.png"))).filter(|file| file.is_file())
    }
}

fn by_name(path: &Path) -> Result<Vec<Picture>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(Error::io("read", path))? {
        let file = entry.map_err(Error::io("read", path))?.path();
        let picture = file.extension().is_some_and(|e| e == "svg" || e == "png");
        if let (true, Some(name)) = (picture, file.file_stem().and_then(|name| name.to_str())) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(|name| Picture { name, caption: String::new() }).collect())
}

/// Names become file names, so they must not lead elsewhere.
fn check_name(path: &Path, name: &str) -> Result<()> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return Err(Error::invalid(path, format!("has a picture `{name}`, which cannot be a file's name")));
    }
    Ok(())
}
