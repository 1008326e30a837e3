use flow_plugin::Kind;

use super::*;

#[test]
fn inputs_targets_and_splits_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(&folder.path().join("geology"), 12);
    let reservoirs = drawn.output("reservoirs");
    let simulated = Trial::new(folder.path().join("simulate"))
        .input("reservoirs", Kind::Dataset, reservoirs)
        .params(json!({ "pressure_limit": 400.0 }))
        .run(&Simulate)
        .unwrap();
    let solutions = Dataset::open(simulated.output("solutions")).unwrap();
    let encoded = Trial::new(folder.path().join("encode"))
        .input("reservoirs", Kind::Dataset, reservoirs)
        .input("solutions", Kind::Dataset, simulated.output("solutions"))
        .params(json!({ "validation": 2, "test": 1 }))
        .run(&Encode)
        .unwrap();
    let encoded = Dataset::open(encoded.output("encoded")).unwrap();
    let ids: Vec<i64> = encoded.read("sample").unwrap();
    assert_eq!(ids, solutions.read::<i64>("sample").unwrap());
    let n = ids.len();
    assert!((4..12).contains(&n), "some draws must need more than 400 bar, some not");
    let split: Vec<u8> = encoded.read("split").unwrap();
    assert_eq!(split, [vec![2, 1, 1], vec![0; n - 3]].concat());
    let scale: Vec<f32> = encoded.read("pressure_scale").unwrap();
    let (pressure, buildup): (Vec<f32>, Vec<f32>) =
        (encoded.read("pressure").unwrap(), solutions.read("pressure_buildup").unwrap());
    let row = pressure.len() / n;
    for (at, (p, dp)) in pressure.iter().zip(&buildup).enumerate() {
        assert!((p * scale[at / row] - dp).abs() <= 1e-6 * dp.abs());
    }
    // The scale does its work: the largest pressures are of order one.
    let largest = |at: usize| pressure[at * row..][..row].iter().fold(0.0f32, |m, p| m.max(p.abs()));
    assert!(
        (0..n).all(|at| (0.02..5.0).contains(&largest(at))),
        "{:?}",
        (0..n).map(largest).collect::<Vec<_>>()
    );

    // Inputs do not need solutions.
    let inputs = Trial::new(folder.path().join("inputs")).input("reservoirs", Kind::Dataset, reservoirs);
    let inputs = inputs.run(&Encode).unwrap();
    let inputs = Dataset::open(inputs.output("encoded")).unwrap();
    assert_eq!(inputs.dim("sample"), Some(12));
    assert!(inputs.variable("saturation").is_err());
    let at = usize::try_from(ids[2]).unwrap();
    assert_eq!(
        inputs.read_rows::<f32>("x", at..at + 1).unwrap(),
        encoded.read_rows::<f32>("x", 2..3).unwrap()
    );
}

#[test]
fn a_split_without_training_samples_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(&folder.path().join("geology"), 3);
    let error = Trial::new(folder.path().join("encode"))
        .input("reservoirs", Kind::Dataset, drawn.output("reservoirs"))
        .params(json!({ "validation": 2, "test": 1 }))
        .run(&Encode)
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "1 test and 2 validation samples leave none of 3 for training");
}
