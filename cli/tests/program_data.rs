//! What programs get and leave: datasets in other forms, files by a pattern, environments.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Project, Run, virtual_environment};
use flow_plugin::artifact::Dataset;

fn error(run: &Run, node: &str) -> (String, String) {
    let error = &run.node(node)["error"];
    let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (part("message"), part("hint"))
}

/// The digest of a node's output in the latest run, and the dataset.
fn dataset(project: &Project, node: &str, port: &str) -> (flow_plugin::Digest, Dataset) {
    let store = project.store();
    let nodes = store.nodes(&store.runs().unwrap()[0].start.id).unwrap();
    let output =
        nodes.iter().find(|n| n.name == node).unwrap().outputs.iter().find(|o| o.port == port).unwrap();
    (output.digest, Dataset::open(store.artifact_path(&output.digest).unwrap()).unwrap())
}

fn copies(form: &str, ending: &str) -> String {
    format!(
        "
  wave: {{ uses: demo/wave, with: {{ cells: 64, times: 2 }} }}
  copy:
    uses: exec/run
    inputs: {{ data: {{ from: wave.wave, as: {form} }} }}
    with: {{ run: \"basename ${{{{ inputs.data }}}}; cp ${{{{ inputs.data }}}} ${{{{ outputs.data }}}}{ending}\" }}
    outputs: {{ data: dataset }}
"
    )
}

#[test]
fn a_dataset_goes_to_a_program_and_comes_back() {
    for (form, ending, extension) in [("netcdf", "", "nc"), ("netcdf", ".nc", "nc"), ("npz", ".npz", "npz")] {
        let project = Project::new(&copies(form, ending));
        let run = project.run(&[]);
        assert_eq!(run.code, Some(0), "{:?}", run.events);
        let named = run.events.iter().filter_map(|event| event["message"].as_str());
        assert!(
            named.clone().any(|name| name.ends_with(&format!(".{extension}"))),
            "the name says what it is"
        );
        let (before, wave) = dataset(&project, "wave", "wave");
        let (after, copy) = dataset(&project, "copy", "data");
        // NumPy has no names for dimensions, and no units.
        assert_eq!(before == after, form == "netcdf");
        assert_eq!(wave.read_wide("height").unwrap(), copy.read_wide("height").unwrap());
        assert_eq!(project.run(&[]).counts(), [0, 2, 0, 0]);
    }
}

#[test]
fn the_form_and_the_kind_count() {
    let project = Project::new(&copies("netcdf", ""));
    project.run(&[]);
    project.stages(&copies("npz", ""));
    assert_eq!(project.run(&[]).executed(), ["copy"]);
    project.stages(&copies("npz", "").replace("data: dataset", "data: file"));
    let plan = project.plan(&[]);
    assert_eq!(plan[1].3, "the kind of output.data \"dataset\" → none");
    assert_eq!(project.run(&[]).executed(), ["copy"]);
    project.stages(&copies("netcdf", "").replace("data: dataset", "data: file"));
    assert_eq!(project.plan(&[])[1].3, "the form of input.data \"npz\" → \"netcdf\"");
}

#[test]
fn a_collection_is_given_in_another_form() {
    let project = Project::new(
        "
  wave: { uses: demo/wave, matrix: { cells: [8, 16] }, with: { cells: \"${{ matrix.cells }}\", times: 1 } }
  all:
    uses: exec/run
    inputs: { data: { from: [wave.wave], as: npz } }
    with: { run: \"ls ${{ inputs.data }} | wc -l > ${{ outputs.n }}; xargs ls < ${{ inputs.data.list }} >> ${{ outputs.n }}\" }
    outputs: { n: file }
",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}", run.events);
    let found = project.output("all", "n");
    let lines: Vec<_> = found.lines().collect();
    assert_eq!((lines[0].trim(), lines.len()), ("2", 3), "{found}");
    assert!(lines[1..].iter().all(|path| path.ends_with(".npz")));
}

#[test]
fn forms_patterns_and_environments_of_an_included_file_are_its_own() {
    let project = Project::new("");
    fs::create_dir(project.path("part")).unwrap();
    let part = copies("npz", ".npz")
        + "  all:\n    uses: exec/run\n    inputs: { tables: { path: \"*.csv\" } }\n"
        + "    with: { run: \"cat ${{ inputs.tables }} > ${{ outputs.all }}\" }\n    outputs: { all: file }\n";
    project.write("part/part.yaml", &format!("flow: 1\nstages:{part}"));
    project.write("part/a.csv", "a");
    project.write("b.csv", "b");
    project.write(
        "w.yaml",
        "flow: 1\nname: w\ninclude: { p: part/part.yaml }\nstages: { t: { uses: demo/text, with: { text: x } } }\n",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [4, 0, 0, 0]), "{} {:?}", run.stderr, run.events);
    assert_eq!(project.output("p.all", "all"), "a");
    let (_, copy) = dataset(&project, "p.copy", "data");
    assert_eq!(copy.read_wide("height").unwrap().len(), 128);
}

#[test]
fn what_is_no_dataset_is_said() {
    let project = Project::new(
        "
  text: { uses: exec/run, with: { run: \"echo a,b > ${{ outputs.data }}\" }, outputs: { data: dataset } }
  hdf: { uses: exec/run, with: { run: \"printf '\\\\211HDF\\\\r\\\\n\\\\032\\\\n' > ${{ outputs.data }}.nc\" }, outputs: { data: dataset } }
  ending: { uses: exec/run, with: { run: \"echo x > ${{ outputs.data }}.npz\" }, outputs: { data: file } }
  none: { uses: exec/run, with: { run: \"echo ${{ outputs.data }}\" }, outputs: { data: dataset } }
",
    );
    let run = project.run(&[]);
    assert_eq!(run.counts()[2], 4);
    let (message, _) = error(&run, "text");
    assert!(message.contains("`data` is not a good dataset") && message.contains("but no rows"), "{message}");
    let (message, _) = error(&run, "hdf");
    assert!(message.contains("cannot be read as HDF5"), "{message}");
    let (message, hint) = error(&run, "ending");
    assert!(
        message.contains("did not write its output `data`") && hint.contains("data.npz` beside it"),
        "{hint}"
    );
    assert!(error(&run, "none").1.contains("is the path to write to"));
}

const PATTERN: &str = "
  all:
    uses: exec/run
    inputs: { tables: { path: \"data/*.csv\" } }
    with: { run: \"for table in ${{ inputs.tables }}; do echo $(basename $table) $(cat $table); done > ${{ outputs.all }}\" }
    outputs: { all: file }
";

#[test]
fn a_pattern_is_a_collection_of_files_by_content_and_name() {
    let project = Project::new(PATTERN);
    fs::create_dir(project.path("data")).unwrap();
    for (name, content) in [("b", "2"), ("a", "1"), ("c", "3")] {
        project.write(&format!("data/{name}.csv"), content);
    }
    project.write("data/other.txt", "x");
    project.write("data/.hidden.csv", "x");
    assert_eq!(project.run(&[]).code, Some(0));
    assert_eq!(project.output("all", "all"), "a.csv 1\nb.csv 2\nc.csv 3\n");
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    project.write("data/other.txt", "y");
    assert_eq!(project.run(&[]).executed(), [""; 0], "what does not match does not count");
    project.write("data/b.csv", "4");
    assert_eq!(project.run(&[]).executed(), ["all"], "content counts");
    project.write("data/d.csv", "5");
    assert_eq!(project.run(&[]).executed(), ["all"], "another file counts");
    fs::rename(project.path("data/d.csv"), project.path("data/e.csv")).unwrap();
    assert_eq!(project.run(&[]).executed(), ["all"], "names count");
    assert_eq!(project.output("all", "all"), "a.csv 1\nb.csv 4\nc.csv 3\ne.csv 5\n");
    fs::rename(project.path("data/e.csv"), project.path("data/e.tsv")).unwrap();
    project.stages(&PATTERN.replace("*.csv", "*.?sv"));
    assert_eq!(project.run(&[]).executed(), ["all"], "so do endings that differ");
    fs::remove_file(project.path("data/e.tsv")).unwrap();
    project.stages(PATTERN);
    project.run(&[]);
    // Where they lie does not.
    fs::rename(project.path("data"), project.path("tables")).unwrap();
    project.stages(&PATTERN.replace("data/*", "tables/*"));
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    // In a list, beside others.
    project.stages(
        &PATTERN.replace(
            "{ path: \"data/*.csv\" }",
            "[{ path: \"tables/[ab].csv\" }, { path: tables/other.txt }]",
        ),
    );
    assert_eq!(project.run(&[]).code, Some(0));
    assert_eq!(project.output("all", "all"), "a.csv 1\nb.csv 4\nother.txt y\n");
}

#[test]
fn a_pattern_goes_to_operations_that_take_collections() {
    let project = Project::new(
        "  join: { uses: demo/grep, inputs: { text: { path: \"*.txt\" } }, with: { contains: a } }\n",
    );
    project.write("a.txt", "a");
    let said = project.refused(&["plan", "w.yaml"]);
    assert!(said.contains("takes one artifact") && said.contains("{ files: PATTERN }"), "{said}");
}

#[test]
fn an_environment_is_used_and_counts_by_what_is_in_it() {
    let project = Project::new(
        "
  show:
    uses: exec/run
    with:
      run: \"python -c 'import sys; print(sys.prefix)' > ${{ outputs.out }}; echo $VIRTUAL_ENV >> ${{ outputs.out }}\"
      environment: tools/.venv
    outputs: { out: file }
  list:
    uses: exec/run
    with: { run: [python, -c, \"import sys; open(sys.argv[1], 'w').write(sys.prefix)\", \"${{ outputs.out }}\"], environment: tools/.venv }
    outputs: { out: file }
",
    );
    if !virtual_environment(&project.path("tools/.venv")) {
        return;
    }
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}", run.events);
    let folder = project.path("tools/.venv").canonicalize().unwrap();
    let folder = folder.to_str().unwrap();
    let lines = project.output("show", "out");
    let lines: Vec<_> = lines.lines().map(|line| fs::canonicalize(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line.to_str() == Some(folder)), "{lines:?}");
    assert_eq!(fs::canonicalize(project.output("list", "out")).unwrap().to_str(), Some(folder));
    assert_eq!(project.run(&[]).executed(), [""; 0]);

    let lib = fs::read_dir(project.path("tools/.venv/lib")).unwrap().next().unwrap().unwrap().path();
    let package = |version: &str| lib.join(format!("site-packages/numpy-{version}.dist-info"));
    fs::create_dir_all(package("2.1.0")).unwrap();
    assert_eq!(project.plan(&[])[0].3, "environment.packages.numpy none → \"2.1.0\"");
    assert_eq!(project.run(&[]).executed(), ["list", "show"]);
    fs::rename(package("2.1.0"), package("2.2.0")).unwrap();
    assert_eq!(project.plan(&[])[0].3, "environment.packages.numpy \"2.1.0\" → \"2.2.0\"");
    fs::rename(package("2.2.0"), package("2.1.0")).unwrap();
    assert_eq!(project.run(&[]).executed(), [""; 0], "taken back");
    // Where it lies does not count.
    fs::rename(project.path("tools"), project.path("moved")).unwrap();
    let stages = fs::read_to_string(project.path("w.yaml")).unwrap();
    project.write("w.yaml", &stages.replace("tools/.venv", "moved/.venv"));
    assert_eq!(project.run(&[]).executed(), [""; 0]);
}

#[test]
fn a_file_outside_is_given_in_another_form() {
    let project = Project::new("  wave: { uses: demo/wave, with: { cells: 8, times: 1 } }\n");
    project.run(&[]);
    for (to, form) in [("data.zarr", "zarr"), ("data.nc", "netcdf"), ("data.npz", "npz")] {
        let got = project.flow(&["get", "w", "wave.wave", to, "--as", form]);
        assert!(got.status.success(), "{}", common::text(&got.stderr));
    }
    let stages = |input: &str| {
        project.stages(&format!(
            "
  use:
    uses: exec/run
    inputs: {{ data: {input} }}
    with: {{ run: \"for f in ${{{{ inputs.data }}}}; do case $f in *.npz) head -c 2 $f;; *.nc) head -c 3 $f;; esac; done > ${{{{ outputs.n }}}}\" }}
    outputs: {{ n: file }}
"
        ));
    };
    for (input, expected) in [
        ("{ path: data.zarr, as: npz }", "PK"),
        ("{ path: data.zarr, as: netcdf }", "CDF"),
        ("{ path: data.nc, as: npz }", "PK"),
        ("{ path: data.npz, as: netcdf }", "CDF"),
        ("{ from: { path: data.nc }, as: npz }", "PK"),
        ("{ path: \"data.n*\", as: npz }", "PKPK"),
    ] {
        stages(input);
        let run = project.run(&[]);
        assert_eq!(run.code, Some(0), "{input}: {} {:?}", run.stderr, run.events);
        assert_eq!(project.output("use", "n"), expected, "{input}");
    }
    // The same data in another file are not computed again; another form is another command.
    assert_eq!(project.run(&[]).counts(), [0, 1, 0, 0]);

    project.write("data.txt", "not arrays: \"at all\n");
    for (input, expected) in [
        ("{ path: data.txt, as: npz }", "`data.txt` cannot be given as npz"),
        ("{ path: data.nc, as: hdf }", "`hdf` is not a form of a dataset"),
        ("{ path: data.nc, of: npz }", "an external input has no key `of`"),
        ("{ path: data.np, as: npz }", "there is no file or folder `data.np`"),
    ] {
        stages(input);
        let said = project.refused(&["plan", "w.yaml"]);
        assert!(said.contains(expected) && said.contains("w.yaml:7:"), "{input}: {said}");
        assert_eq!(said.matches("error").count(), 1, "{said}");
    }
}
