#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;

use serde_json::json;

use super::*;
use crate::digest::of;
use crate::export::{write_netcdf, write_npz};
use crate::{DType, DatasetWriter, Kind, Variable};

/// A dataset of types that all forms hold, in chunks of one row.
fn sample(path: &Path) -> Dataset {
    let mut writer = DatasetWriter::create(path).unwrap().chunk_bytes(1);
    writer.attribute("grid", "r-z").attribute("version", 1);
    let height: Vec<f32> = (0..24).map(|i| i as f32 / 7.0).collect();
    let variable = Variable::new::<f32>("height", &["sample", "z", "r"], &[2, 3, 4], "m", "Height");
    writer.write(&variable, &height).unwrap();
    writer.write(&Variable::new::<f64>("time", &["time"], &[2], "d", "Time"), &[0.5, 1.5]).unwrap();
    writer.write(&Variable::new::<i32>("cell", &["z"], &[3], "1", ""), &[-1, 0, 1]).unwrap();
    writer.write(&Variable::new::<u8>("mask", &["r"], &[4], "1", ""), &[0_u8, 255, 1, 0]).unwrap();
    writer.write(&Variable::new::<f64>("g", &[], &[], "m/s2", ""), &[9.81]).unwrap();
    writer.finish().unwrap();
    Dataset::open(path).unwrap()
}

fn import(from: &Path) -> Result<Dataset> {
    let to = from.with_extension("imported");
    assert!(dataset(from, &to)?);
    Dataset::open(to)
}

fn problem(from: &Path) -> String {
    import(from).unwrap_err().to_string()
}

#[test]
fn what_is_written_as_netcdf_is_read_as_the_same_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    write_netcdf(&sample(&path), &folder.path().join("data.nc")).unwrap();
    let read = import(&folder.path().join("data.nc")).unwrap();
    let digest = |path: &Path| of(Kind::Dataset, path).unwrap().digest;
    assert_eq!(read.attributes()["version"], 1);
    assert_eq!(read.variable("height").unwrap().long_name, "Height");
    let again = folder.path().join("again.nc");
    write_netcdf(&read, &again).unwrap();
    assert_eq!(fs::read(folder.path().join("data.nc")).unwrap(), fs::read(again).unwrap());
    assert_eq!(digest(&path), digest(read.path()));
    // 64-bit data: CDF-5.
    let mut writer = DatasetWriter::create(folder.path().join("wide")).unwrap();
    writer.write(&Variable::new::<i64>("id", &["n"], &[2], "1", ""), &[1_i64 << 40, -(1 << 40)]).unwrap();
    writer.write(&Variable::new::<u8>("mask", &["m"], &[3], "1", ""), &[0_u8, 255, 1]).unwrap();
    writer.finish().unwrap();
    let wide = folder.path().join("wide.nc");
    write_netcdf(&Dataset::open(folder.path().join("wide")).unwrap(), &wide).unwrap();
    assert_eq!(digest(&folder.path().join("wide")), digest(import(&wide).unwrap().path()));
}

/// A NetCDF file as SciPy and the C library write one: CDF-1, a dimension that grows, attributes, padding.
struct Cdf(Vec<u8>);

impl Cdf {
    fn word(&mut self, n: u32) -> &mut Self {
        self.0.extend(n.to_be_bytes());
        self
    }

    fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn name(&mut self, name: &str) -> &mut Self {
        self.word(name.len() as u32).padded(name.as_bytes())
    }

    fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.name(name).word(2).name(text)
    }

    fn short(&mut self, name: &str, n: i16) -> &mut Self {
        self.name(name).word(3).word(1).padded(&n.to_be_bytes())
    }

    fn double(&mut self, name: &str, n: f64) -> &mut Self {
        self.name(name).word(6).word(1).padded(&n.to_be_bytes())
    }
}

fn growing(begins: [u32; 3]) -> Cdf {
    let mut file = Cdf(b"CDF\x01".to_vec());
    file.word(2); // records
    file.word(0x0a).word(2).name("time").word(0).name("x").word(3);
    file.word(0x0c).word(2).text("title", "Waves").text("history", "today");
    file.word(0x0b).word(3);
    // Packed: short records of six bytes, padded to eight.
    file.name("height").word(2).word(0).word(1);
    file.word(0x0c).word(4).text("units", "m").double("scale_factor", 0.5).double("add_offset", 10.0);
    file.short("_FillValue", -99).word(3).word(8).word(begins[0]);
    file.name("when").word(1).word(0).word(0).word(0).word(6).word(8).word(begins[1]);
    file.name("x").word(1).word(1).word(0).word(0).word(5).word(12).word(begins[2]);
    file
}

#[test]
fn records_packing_and_fill_values_of_netcdf() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waves.nc");
    let at = growing([0; 3]).0.len() as u32;
    let mut file = growing([at + 12, at + 20, at]);
    for x in [1.0_f32, f32::NAN, 3.0] {
        file.0.extend(x.to_be_bytes());
    }
    for record in 0..2_i16 {
        let shorts: Vec<u8> = [record, 2, -99].iter().flat_map(|n| n.to_be_bytes()).collect();
        file.padded(&shorts);
        file.0.extend(f64::from(record).to_be_bytes());
    }
    fs::write(&path, &file.0).unwrap();
    let data = import(&path).unwrap();
    let height = data.variable("height").unwrap();
    assert_eq!((&height.dims[..], &height.shape[..]), (&["time".into(), "x".into()][..], &[2, 3][..]));
    assert_eq!((height.dtype, height.units.as_str()), (DType::F64, "m"));
    let values = data.read::<f64>("height").unwrap();
    assert_eq!((&values[..2], &values[3..5]), (&[10.0, 11.0][..], &[10.5, 11.0][..]));
    assert!(values[2].is_nan() && values[5].is_nan(), "no value there");
    assert_eq!(data.read::<f64>("when").unwrap(), [0.0, 1.0]);
    assert!(data.read::<f32>("x").unwrap()[1].is_nan());
    assert_eq!(data.attributes().len(), 1, "the time at which it was written is left out");

    fs::write(&path, &file.0[..file.0.len() - 1]).unwrap();
    fs::remove_dir_all(folder.path().join("waves.imported")).unwrap();
    assert!(problem(&path).contains("`when` that is cut short"));
}

#[test]
fn every_cut_of_a_file_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample(&folder.path().join("data"));
    write_netcdf(&data, &folder.path().join("a.nc")).unwrap();
    write_npz(&data, &folder.path().join("a.npz")).unwrap();
    for name in ["a.nc", "a.npz"] {
        let whole = fs::read(folder.path().join(name)).unwrap();
        for cut in (0..whole.len()).step_by(7) {
            let (from, to) = (folder.path().join("cut"), folder.path().join("to"));
            fs::write(&from, &whole[..cut]).unwrap();
            assert!(dataset(&from, &to).is_err(), "{name} {cut}");
            let _ = fs::remove_dir_all(&to);
        }
        // Every byte of the header changed: an error or another dataset, but an end.
        for at in 0..whole.len().min(400) {
            let (from, to) = (folder.path().join("cut"), folder.path().join("to"));
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            fs::write(&from, bytes).unwrap();
            let _ = dataset(&from, &to);
            let _ = fs::remove_dir_all(&to);
        }
    }
}

/// An `.npy` file of version 1, or 2.
fn npy(version: u8, kind: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut out = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
    if version == 1 {
        out.extend((header.len() as u16).to_le_bytes());
    } else {
        out.extend((header.len() as u32).to_le_bytes());
    }
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

/// An archive as `numpy.savez` or `numpy.savez_compressed` writes it.
fn npz(path: &Path, compressed: bool, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let method = if compressed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    // NumPy writes all members in the form for large ones.
    let options = zip::write::SimpleFileOptions::default().compression_method(method).large_file(true);
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn arrays_of_numpy_in_all_versions_orders_and_types() {
    let folder = tempfile::tempdir().unwrap();
    let ints: Vec<u8> = [1i32, 2, 3, 4, 5, 6].iter().flat_map(|v| v.to_le_bytes()).collect();
    let big: Vec<u8> = [0.5f64, -1.0].iter().flat_map(|v| v.to_be_bytes()).collect();
    let arrays = [
        ("a", npy(1, "<i4", false, "(2, 3)", &ints)),
        ("f", npy(2, "<i4", true, "(2, 3)", &ints)),
        ("b", npy(3, ">f8", false, "(2,)", &big)),
        ("ok", npy(1, "|b1", false, "()", &[7])),
        ("none", npy(1, "<f4", false, "(0, 3)", &[])),
        ("small", npy(1, "<f2", false, "(1,)", &[0, 0x3c])),
    ];
    for compressed in [false, true] {
        let path = folder.path().join(format!("{compressed}.npz"));
        npz(&path, compressed, &arrays);
        let data = import(&path).unwrap();
        assert_eq!(data.read::<i32>("a").unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(data.variable("a").unwrap().dims, ["a_0", "a_1"]);
        assert_eq!(data.read::<i32>("f").unwrap(), [1, 3, 5, 2, 4, 6]);
        assert_eq!(data.read::<f64>("b").unwrap(), [0.5, -1.0]);
        assert_eq!(data.read::<u8>("ok").unwrap(), [1]);
        assert_eq!(data.variable("none").unwrap().shape, [0, 3]);
        assert_eq!(data.read::<f32>("small").unwrap(), [1.0]);
        let npz = Npz::open(&path).unwrap();
        assert_eq!(npz.names().collect::<Vec<_>>(), ["a", "b", "f", "none", "ok", "small"]);
        assert_eq!(
            npz.array("f").unwrap(),
            Array { shape: vec![2, 3], values: vec![1., 3., 5., 2., 4., 6.] }
        );
        assert_eq!(npz.scalar("ok").unwrap(), 1.0);
        let error = npz.array("c").unwrap_err().to_string();
        assert!(error.ends_with("has no array `c`; it has `a`, `b`, `f`, `none`, `ok`, `small`"), "{error}");
        assert!(npz.scalar("a").unwrap_err().to_string().contains("6 values where one is needed"));
    }
    let single = folder.path().join("x.npy");
    fs::write(&single, &arrays[0].1).unwrap();
    assert_eq!(import(&single).unwrap().read::<i32>("data").unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_a_dataset_cannot_hold_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |name: &str, array: Vec<u8>, expected: &str| {
        npz(&at(name), false, &[("x", array)]);
        let error = problem(&at(name));
        assert!(error.contains(expected), "{error}");
    };
    refused("1.npz", npy(1, "|O", false, "(1,)", &[0; 8]), "`x` with elements of type `|O`");
    refused("2.npz", npy(1, "<U3", false, "(1,)", &[0; 12]), "`x` with elements of type `<U3`");
    refused("3.npz", npy(1, "<f8", false, "(2,)", &[0; 9]), "`x` that is cut short");
    refused("4.npz", npy(1, "<u8", false, "(1,)", &[255; 8]), "the number 18446744073709551615");
    refused("5.npz", npy(1, "<f8", false, "(99999999999, 99999999999)", &[]), "of an impossible size");
    fs::write(at("h.nc"), b"\x89HDF\r\n\x1a\n....").unwrap();
    assert!(problem(&at("h.nc")).contains("cannot be read as HDF5"));
    fs::write(at("text"), "a,b\nc,1\n").unwrap();
    assert!(problem(&at("text")).contains("`a` with the text `c` on line 2"));
    fs::write(at("bytes"), b"a\0b").unwrap();
    assert!(problem(&at("bytes")).contains("is in none of the forms"));
    for (start, expected) in [
        (&b"II*\0\x08\0\0\0"[..], "is a TIFF, which is not read; make it NetCDF"),
        (b"GRIB\0\0\0\x02", "is in GRIB, which is not read"),
        (b"\x80\x04\x95\0", "is a pickle of Python, which is never read"),
        (b"\x1f\x8b\x08\0", "is packed with gzip as a whole"),
    ] {
        fs::write(at("other"), start).unwrap();
        assert!(problem(&at("other")).contains(expected), "{expected}");
    }
    fs::create_dir(at("folder")).unwrap();
    assert!(problem(&at("folder")).contains("no Zarr group"));
}

fn put(path: &Path, name: &str, text: &str) {
    let path = path.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// As zarr-python writes it: chunks along both axes, zstd, one chunk left out since it holds the fill value.
#[test]
fn zarr_3_with_chunks_codecs_and_fill_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z");
    put(&path, "zarr.json", r#"{"zarr_format": 3, "node_type": "group", "attributes": {"title": "T"}}"#);
    let array = |codecs: serde_json::Value, separator: &str| {
        json!({
            "zarr_format": 3, "node_type": "array", "shape": [3, 5], "data_type": "float32",
            "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [2, 3] } },
            "chunk_key_encoding": { "name": "default", "configuration": { "separator": separator } },
            "fill_value": "NaN", "codecs": codecs, "attributes": { "units": "K" },
            "dimension_names": ["y", "x"],
        })
        .to_string()
    };
    let bytes = json!({ "name": "bytes", "configuration": { "endian": "little" } });
    put(
        &path,
        "t/zarr.json",
        &array(json!([bytes, { "name": "gzip", "configuration": { "level": 1 } }]), "/"),
    );
    put(
        &path,
        "p/zarr.json",
        &array(json!([bytes, { "name": "zstd", "configuration": { "level": 0 } }]), "."),
    );
    // The value of a cell is its place; what lies beyond the edge of the array is not to be seen.
    let chunk = |row: usize, column: usize| {
        let cell = |i: usize| {
            let (y, x) = (row * 2 + i / 3, column * 3 + i % 3);
            if y < 3 && x < 5 { (y * 5 + x) as f32 } else { -1.0 }
        };
        floats((0..6).map(cell))
    };
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap();
    for (row, column) in [(0, 0), (0, 1), (1, 0)] {
        fs::create_dir_all(path.join(format!("t/c/{row}"))).unwrap();
        fs::write(path.join(format!("t/c/{row}/{column}")), gzip(&chunk(row, column))).unwrap();
        fs::write(path.join(format!("p/c.{row}.{column}")), zstd(&chunk(row, column))).unwrap();
    }
    let data = import(&path).unwrap();
    for name in ["t", "p"] {
        let values = data.read::<f32>(name).unwrap();
        let expected: Vec<f32> = (0..13).map(|i| i as f32).collect();
        assert_eq!(values[..13], expected, "{name}");
        assert!(values[13].is_nan() && values[14].is_nan(), "the chunk that is not there");
        let variable = data.variable(name).unwrap();
        assert_eq!((variable.dims.join(" "), variable.units.as_str()), ("y x".into(), "K"));
    }
    assert_eq!(data.attributes()["title"], "T");
    fs::write(path.join("t/c/0/0"), gzip(&chunk(0, 0)[1..])).unwrap();
    fs::remove_dir_all(path.with_extension("imported")).unwrap();
    assert!(problem(&path).contains("holds 23 bytes instead of 24"));
    put(&path, "t/zarr.json", &array(json!([bytes, { "name": "zfpy" }]), "/"));
    fs::remove_dir_all(path.with_extension("imported")).unwrap();
    assert!(problem(&path).contains("`t` with the codec zfpy"));
}

#[test]
fn zarr_2_and_scalars() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z");
    put(&path, ".zgroup", r#"{"zarr_format": 2}"#);
    put(&path, ".zattrs", r#"{"title": "T", "history": "today"}"#);
    let array = |shape: &str, chunks: &str, compressor: &str| {
        format!(
            r#"{{"zarr_format": 2, "shape": {shape}, "chunks": {chunks}, "dtype": ">i2", "order": "C",
                "fill_value": 7, "filters": null, "compressor": {compressor}}}"#
        )
    };
    put(&path, "n/.zarray", &array("[3]", "[2]", "null"));
    put(&path, "n/.zattrs", r#"{"_ARRAY_DIMENSIONS": ["time"], "long_name": "Count"}"#);
    fs::write(path.join("n/0"), [0, 1, 0xff, 0xff]).unwrap();
    put(&path, "s/.zarray", &array("[]", "[]", "null"));
    fs::write(path.join("s/0"), [1, 0]).unwrap();
    let data = import(&path).unwrap();
    assert_eq!(data.read::<i32>("n").unwrap(), [1, -1, 7]);
    assert_eq!(data.read::<i32>("s").unwrap(), [256]);
    assert_eq!(data.variable("n").unwrap().dims, ["time"]);
    assert_eq!(data.attributes().len(), 1);
    put(&path, "n/.zarray", &array("[3]", "[2]", r#"{"id": "bz2"}"#));
    fs::remove_dir_all(path.with_extension("imported")).unwrap();
    assert!(problem(&path).contains("`n` compressed with bz2"));
}

#[test]
fn what_is_a_dataset_already_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    sample(&path);
    assert!(!dataset(&path, &folder.path().join("to")).unwrap());
    assert!(!folder.path().join("to").exists());
}

#[test]
fn a_path_is_found_with_the_ending_that_a_library_added() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1-data");
    assert_eq!(written(&path), None);
    fs::write(folder.path().join("1-data.npz"), "").unwrap();
    assert_eq!(written(&path), Some(folder.path().join("1-data.npz")));
    fs::write(&path, "").unwrap();
    assert_eq!(written(&path), Some(path));
}

#[test]
fn pieces_that_are_kept_and_pieces_that_are_overwritten_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("data.nc"));
    // Some MiB, so that there are several pieces.
    let mut writer = DatasetWriter::create(&data).unwrap();
    let floats: Vec<f32> = (0..1_500_000).map(|i| i as f32 / 3.0).collect();
    writer.write(&Variable::new::<f32>("x", &["t", "y"], &[15_000, 100], "m", ""), &floats).unwrap();
    let whole: Vec<i32> = (0..15_000).collect();
    writer.write(&Variable::new::<i32>("n", &["t"], &[15_000], "1", ""), &whole).unwrap();
    writer.finish().unwrap();
    write_netcdf(&Dataset::open(&data).unwrap(), &file).unwrap();
    let mut import = Import::open(&file).unwrap();
    let at = |import: &Import, name: &str| {
        import.arrays().iter().position(|found| found.variable.name == name).unwrap()
    };
    let (x, n) = (at(&import, "x"), at(&import, "n"));
    let (mut copied, mut kept, mut pieces) = (Vec::new(), Vec::new(), 0);
    let collect = |of: &mut Vec<f32>, values: &Values| match values {
        Values::F32(values) => of.extend(values),
        other => assert_eq!(*other, Values::I32(whole.clone())),
    };
    import
        .read(&[x, n], &mut |_, values| {
            pieces += 1;
            collect(&mut copied, values);
            Ok(())
        })
        .unwrap();
    let mut all = Vec::new();
    import
        .read(&[x, n], &mut |_, values| {
            all.push(values.take());
            assert!(values.is_empty());
            Ok(())
        })
        .unwrap();
    all.iter().for_each(|values| collect(&mut kept, values));
    assert!(pieces > 2, "{pieces} pieces");
    assert_eq!(copied, floats);
    assert_eq!(kept, floats);
}
