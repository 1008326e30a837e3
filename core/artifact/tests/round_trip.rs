//! What is written is read again as the same: values, types, names of dimensions, units, attributes, as far as each
//! form can hold them.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use flow_artifact::digest::of;
use flow_artifact::export::{
    copy, write_columns_csv, write_columns_parquet, write_netcdf, write_npy, write_npz,
};
use flow_artifact::import::{self, Import};
use flow_artifact::{DType, Dataset, DatasetWriter, Kind, Values, Variable};
use proptest::collection::vec;
use proptest::prelude::*;

/// Lengths of dimensions `a`, `b`, …; variables along some of them, with values by which theirs are made.
#[derive(Clone, Debug)]
struct Plan {
    lengths: Vec<usize>,
    variables: Vec<Planned>,
    attributes: Vec<(String, Option<f64>, String)>,
}

#[derive(Clone, Debug)]
struct Planned {
    dtype: DType,
    dims: Vec<usize>,
    units: &'static str,
    long_name: String,
    bits: Vec<u64>,
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äµ²]{1,12}".prop_map(|text| text.trim().to_owned()).prop_filter("some text", |text| !text.is_empty())
}

/// Datasets with dimensions of at least `least`.
fn plans(least: usize, dims: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Plan> {
    let units = prop_oneof![Just("1"), Just("m/s2"), Just("degC"), Just("kg.m-3"), Just("K")];
    let dtype =
        prop_oneof![Just(DType::U8), Just(DType::I32), Just(DType::I64), Just(DType::F32), Just(DType::F64)];
    let variable =
        (dtype, proptest::sample::subsequence(vec![0, 1, 2], dims), units, text(), vec(special(), 1..8))
            .prop_map(|(dtype, dims, units, long_name, bits)| Planned {
                dtype,
                dims,
                units,
                long_name,
                bits,
            });
    let attribute = ("[a-z]{1,6}", proptest::option::of(-1e9..1e9), text());
    (vec(least..5_usize, 3), vec(variable, 1..5), vec(attribute, 0..3))
        .prop_map(|(lengths, variables, attributes)| Plan { lengths, variables, attributes })
}

/// Bits of values, among them those of numbers at the edges.
fn special() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        Just(f64::NAN.to_bits()),
        Just(f64::NEG_INFINITY.to_bits()),
        Just((-0.0_f64).to_bits()),
        Just(i64::MIN.cast_unsigned()),
        Just(i64::MAX.cast_unsigned()),
        Just(u64::from(f32::MIN_POSITIVE.to_bits())),
    ]
}

fn values(dtype: DType, bits: &[u64], count: usize) -> Values {
    let all = bits.iter().copied().cycle().take(count);
    match dtype {
        DType::U8 => Values::U8(all.map(|b| b as u8).collect()),
        DType::I32 => Values::I32(all.map(|b| b as i32).collect()),
        DType::I64 => Values::I64(all.map(u64::cast_signed).collect()),
        DType::F32 => Values::F32(all.map(|b| f32::from_bits(b as u32)).collect()),
        DType::F64 => Values::F64(all.map(f64::from_bits).collect()),
    }
}

fn write(plan: &Plan, path: &Path) -> Dataset {
    let mut writer = DatasetWriter::create(path).unwrap();
    for (name, number, text) in &plan.attributes {
        match number {
            Some(number) => writer.attribute(name, *number),
            None => writer.attribute(name, text.as_str()),
        };
    }
    for (at, planned) in plan.variables.iter().enumerate() {
        let variable = Variable {
            name: format!("v{at}"),
            dtype: planned.dtype,
            dims: planned.dims.iter().map(|dim| ["a", "b", "c"][*dim].to_owned()).collect(),
            shape: planned.dims.iter().map(|dim| plan.lengths[*dim]).collect(),
            units: planned.units.to_owned(),
            long_name: planned.long_name.clone(),
        };
        let values = values(variable.dtype, &planned.bits, variable.len());
        writer.write_values(&variable, &values).unwrap();
    }
    writer.finish().unwrap();
    Dataset::open(path).unwrap()
}

/// Equal to the bit, except that there is one NaN.
fn same(one: &Values, two: &Values) -> bool {
    match (one, two) {
        (Values::F32(one), Values::F32(two)) => {
            one.len() == two.len()
                && one.iter().zip(two).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
        }
        (Values::F64(one), Values::F64(two)) => {
            one.len() == two.len()
                && one.iter().zip(two).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
        }
        (one, two) => one == two,
    }
}

/// The values of every variable are those of the original; integers may be of a narrower type than there.
fn compare_values(found: &Dataset, original: &Dataset) {
    for variable in original.variables() {
        let values = |data: &Dataset| {
            data.read_values(&variable.name, 0..data.variable(&variable.name).unwrap().rows()).unwrap()
        };
        let (one, two) = (values(found).cast(variable.dtype).unwrap(), values(original));
        assert!(same(&one, &two), "{}: {one:?} {two:?}", variable.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn netcdf(plan in plans(1, 0..=3)) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let data = write(&plan, &path("data"));
        write_netcdf(&data, &path("data.nc")).unwrap();
        prop_assert!(import::dataset(&path("data.nc"), &path("again")).unwrap());
        let again = Dataset::open(path("again")).unwrap();
        compare_values(&again, &data);
        prop_assert_eq!(again.variables().len(), data.variables().len());
        for (found, expected) in again.variables().iter().zip(data.variables()) {
            // Whole numbers of 64 bits that fit are written as such of 32.
            let mut found = found.clone();
            if expected.dtype == DType::I64 {
                found.dtype = DType::I64;
            }
            prop_assert_eq!(&found, expected);
        }
        // The format has one type of number for 1 and 1.0.
        let plain = |data: &Dataset| -> Vec<_> {
            data.attributes().iter().map(|(k, v)| (k.clone(), v.as_f64(), v.as_str().map(str::to_owned))).collect()
        };
        prop_assert_eq!(plain(&again), plain(&data));
    }

    #[test]
    fn zarr(plan in plans(0, 0..=3)) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let data = write(&plan, &path("data"));
        copy(data.path(), &path("copy")).unwrap();
        // Read as any other program's, without the consolidated metadata.
        let mut writer = DatasetWriter::create(path("again")).unwrap();
        let mut import = Import::open(path("copy")).unwrap();
        for (name, value) in import.attributes() {
            writer.attribute(name, value.clone());
        }
        for (at, found) in import.arrays().iter().enumerate() {
            let mut all = Values::none(found.variable.dtype);
            import.read(&[at], &mut |_, piece| { all = piece.take(); Ok(()) }).unwrap();
            writer.write_values(&found.variable, &all).unwrap();
        }
        writer.finish().unwrap();
        prop_assert_eq!(
            of(Kind::Dataset, &path("again")).unwrap().digest,
            of(Kind::Dataset, data.path()).unwrap().digest
        );
        let again = Dataset::open(path("again")).unwrap();
        prop_assert_eq!(again.attributes(), data.attributes());
    }

    #[test]
    fn numpy(plan in plans(0, 0..=3)) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let data = write(&plan, &path("data"));
        write_npz(&data, &path("data.npz")).unwrap();
        import::dataset(&path("data.npz"), &path("again")).unwrap();
        let again = Dataset::open(path("again")).unwrap();
        compare_values(&again, &data);
        write_npy(&data, &path("npy")).unwrap();
        for (found, expected) in again.variables().iter().zip(data.variables()) {
            prop_assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape));
            let single = Import::open(path("npy").join(format!("{}.npy", expected.name))).unwrap().arrays();
            prop_assert_eq!((single[0].variable.dtype, &single[0].variable.shape), (expected.dtype, &expected.shape));
        }
    }

    #[test]
    fn tables(mut plan in plans(1, 1..=1)) {
        // Columns lie along one dimension.
        plan.variables.iter_mut().for_each(|variable| variable.dims = vec![0]);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let data = write(&plan, &path("data"));
        write_columns_parquet(&data, &path("table.parquet")).unwrap();
        write_columns_csv(&data, &path("table.csv")).unwrap();
        for name in ["table.parquet", "table.csv"] {
            let to = path(name).with_extension(format!("{name}.again"));
            import::dataset(&path(name), &to).unwrap();
            let again = Dataset::open(&to).unwrap();
            compare_values(&again, &data);
            for (found, expected) in again.variables().iter().zip(data.variables()) {
                // A text has no types.
                let dtype = if name == "table.csv" { found.dtype } else { expected.dtype };
                prop_assert_eq!((&found.name, found.dtype, &found.shape), (&expected.name, dtype, &expected.shape));
            }
        }
    }
}
