//! Damaged and hostile files: an error or other values, but an end, and no more memory than such values take.

#![allow(clippy::unwrap_used)]

mod counting;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use counting::{alone, most_held};
use flow_plugin::artifact::import::Import;
use flow_plugin::serde_json::{Value, json};

/// Reads every array on its own. What the first one that cannot be read is, if there is one.
fn read(path: &Path) -> Result<(), String> {
    let mut import = Import::open(path).map_err(|error| error.to_string())?;
    for at in 0..import.arrays().len() {
        import.read(&[at], &mut |_, _| Ok(())).map_err(|error| chain(&error))?;
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause))).unwrap_or_default();
    format!("{error}{cause}")
}

/// The files of a fixture, which may be a folder of them.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found: Vec<PathBuf> =
        fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = match file.strip_prefix(from).unwrap() {
            inner if inner.as_os_str().is_empty() => to.to_owned(),
            inner => to.join(inner),
        };
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// The same bytes, cut and changed in more than three hundred ways.
fn damaged(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        (0..whole.len()).step_by(whole.len() / 40 + 1).map(|cut| whole[..cut].to_vec()).collect();
    for at in (0..whole.len()).step_by(whole.len() / 100 + 1) {
        for change in [0xff, 0x01, 0x80] {
            let mut bytes = whole.to_vec();
            bytes[at] ^= change;
            all.push(bytes);
        }
    }
    all
}

/// Damages a fixture everywhere and reads it.
fn damage(name: &str, every: usize) {
    /// The fixtures are of some kilobytes. A chunk of HDF5 may be declared to be larger, and is looked for.
    const MOST: usize = 256 << 20;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name);
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join(name);
    copy(&from, &copied);
    for file in files(&copied).into_iter().step_by(every) {
        let whole = fs::read(&file).unwrap();
        for (number, bytes) in damaged(&whole).into_iter().enumerate() {
            fs::write(&file, bytes).unwrap();
            let most = most_held(&mut || drop(read(&copied)));
            assert!(most < MOST, "{} in change {number} held {} MiB", file.display(), most >> 20);
        }
        fs::write(&file, whole).unwrap();
    }
}

macro_rules! damaged {
    ($($test:ident: $($name:literal)*),*) => {$(
        #[test]
        fn $test() {
            let _alone = alone();
            $(damage($name, 1);)*
        }
    )*};
}

damaged! {
    netcdf: "classic.nc" "netcdf4.nc" "packed4.nc" "filters.nc",
    hdf5: "h5py.h5" "filters.h5",
    matlab: "matlab5.mat" "packed5.mat" "matlab73.mat",
    numpy: "fortran.npy" "numpy.npz" "pickled.npz",
    tables: "table.csv" "numbers.txt",
    parquet: "table.parquet" "gzip.parquet" "zstd.parquet" "pages2.parquet" "brotli.parquet"
}

#[test]
fn zarr() {
    let _alone = alone();
    // Of many files that are alike, some.
    for (name, every) in [("zarr2", 2), ("zarr3", 3), ("codecs2", 11), ("codecs3", 5), ("gaps3", 2)] {
        damage(name, every);
    }
}

/// A Zarr group with one array of these lengths, of which one chunk is there.
fn group(folder: &Path, shape: Value, chunk: Value, codec: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join("group.zarr");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("x")).unwrap();
    let group = json!({ "zarr_format": 3, "node_type": "group" });
    fs::write(path.join("zarr.json"), group.to_string()).unwrap();
    let array = json!({
        "zarr_format": 3, "node_type": "array", "data_type": "float64", "shape": shape, "fill_value": 0,
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": chunk } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "." } },
        "codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": codec }],
    });
    fs::write(path.join("x/zarr.json"), array.to_string()).unwrap();
    fs::write(path.join("x/c.0"), bytes).unwrap();
    path
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0_u8; 64 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    drop(zeros);
    let path = group(folder.path(), json!([10]), json!([10]), "gzip", &gzip);
    let most = most_held(&mut || {
        let error = read(&path).unwrap_err();
        assert!(error.contains("c.0") && error.contains("unpack to more than"), "{error}");
    });
    assert!(most < 2 << 20, "held {most} bytes");
    // A header of Blosc that announces 2 GiB.
    let mut blosc = vec![2, 1, 0x21, 8];
    for word in [i32::MAX, 1 << 20, 20] {
        blosc.extend(word.to_le_bytes());
    }
    blosc.extend([0; 4]);
    let path = group(folder.path(), json!([10]), json!([10]), "blosc", &blosc);
    let most = most_held(&mut || assert!(read(&path).unwrap_err().contains("unpack to more than")));
    assert!(most < 2 << 20, "held {most} bytes");
}

#[test]
fn what_is_said_to_be_large_takes_no_memory() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path, expected: &str| {
        let most = most_held(&mut || {
            let error = read(path).unwrap_err();
            assert!(error.contains(expected), "{error}");
        });
        assert!(most < 32 << 20, "{} held {} MiB", path.display(), most >> 20);
    };
    let large = group(folder.path(), json!([2, 1_000_000_000_000_u64]), json!([1, 10]), "zstd", &[]);
    refused(&large, "`x` with rows of 7450.6 GiB along its first dimension");
    let chunks = group(folder.path(), json!([10]), json!([1_000_000_000_000_u64]), "zstd", &[]);
    refused(&chunks, "`x` with chunks of more than 2 GiB");
    let overflow = group(folder.path(), json!([1_u64 << 40, 1_u64 << 40]), json!([1, 1]), "zstd", &[]);
    refused(&overflow, "of an impossible size");
    let npy = folder.path().join("large.npy");
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    fs::write(&npy, &bytes).unwrap();
    refused(&npy, "`data` that is cut short");
    // Ten arrays of a terabyte each, deflated to nothing.
    let npz = folder.path().join("large.npz");
    let mut archive = zip::ZipWriter::new(fs::File::create(&npz).unwrap());
    archive.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&bytes).unwrap();
    archive.finish().unwrap();
    refused(&npz, "`x` that is cut short");
    // A JSON document that is deeper than anybody writes one.
    fs::write(large.join("x/zarr.json"), "[".repeat(100_000)).unwrap();
    refused(&large, "is not JSON");
}

#[test]
fn groups_inside_themselves_are_looked_into_once() {
    let _alone = alone();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/loops.h5");
    let mut found = Vec::new();
    let most = most_held(&mut || {
        found = Import::open(&path).unwrap().arrays().into_iter().map(|found| found.variable.name).collect();
    });
    assert_eq!(found, ["a/x"]);
    assert!(most < 8 << 20, "held {} MiB", most >> 20);
}
