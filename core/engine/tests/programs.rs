//! What a wrong program stage is told: one snapshot a mistake. And what a right one comes to.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Folder, graph, problems};
use flow_engine::graph::Origin;
use insta::assert_snapshot;

/// A workflow in which `clean` has these lines.
fn program(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "flow: 1
stages:
  made:
    uses: demo/text
    matrix: {{ n: [1, 2] }}
    with: {{ text: x }}
  clean:
    uses: exec/run
{lines}"
    )
}

macro_rules! mistake {
    ($name:ident, $lines:expr) => {
        #[test]
        fn $name() {
            assert_snapshot!(problems(&program($lines)));
        }
    };
}

mistake!(no_command, "outputs: { out: file }");
mistake!(a_misspelt_parameter, "with: { run: ls, enw: [A] }");
mistake!(an_empty_command, "with: { run: \" \" }");
mistake!(an_empty_list, "with: { run: [] }");
mistake!(a_number_for_a_command, "with: { run: 3 }");
mistake!(a_list_in_a_list, "with: { run: [ls, [a]] }");
mistake!(a_misspelt_input, "inputs: { parts: [made.text] }\nwith: { run: \"cat ${{ inputs.part }}\" }");
mistake!(an_input_of_none, "with: { run: \"cat ${{ inputs.part }}\" }");
mistake!(
    a_misspelt_output,
    "with: { run: \"ls > ${{ outputs.uot }} ${{ outputs.out }}\" }\noutputs: { out: file }"
);
mistake!(an_output_that_is_not_written, "with: { run: ls }\noutputs: { out: file }");
mistake!(a_bad_kind, "with: { run: \"ls > ${{ outputs.out }}\" }\noutputs: { out: picture }");
mistake!(
    a_kind_that_programs_do_not_make,
    "with: { run: \"ls > ${{ outputs.out }}\" }\noutputs: { out: model }"
);
mistake!(outputs_that_are_a_list, "with: { run: ls }\noutputs: [out]");
mistake!(a_bad_name_of_an_output, "with: { run: ls }\noutputs: { \"a b\": file }");
mistake!(
    an_input_in_an_expression,
    "inputs: { a: made.text }\nwith: { run: \"cat ${{ inputs.a + '.x' }}\" }"
);
mistake!(
    a_form_of_a_file,
    "inputs: { a: { from: made.text, as: npz } }\nwith: { run: \"cat ${{ inputs.a }}\" }"
);
mistake!(
    a_misspelt_form,
    "inputs: { a: { from: made.text, as: netcfd } }\nwith: { run: \"cat ${{ inputs.a }}\" }"
);
mistake!(
    an_input_from_without_a_form,
    "inputs: { a: { from: made.text } }\nwith: { run: \"cat ${{ inputs.a }}\" }"
);
mistake!(an_environment_that_is_not_there, "with: { run: ls, environment: .venv }");
mistake!(an_environment_that_is_none, "with: { run: ls, environment: . }");
mistake!(a_path_for_variables, "with: { run: ls, env: .venv }");
mistake!(
    a_pattern_that_nothing_matches,
    "inputs: { a: { path: \"data/*.csv\" } }\nwith: { run: \"cat ${{ inputs.a }}\" }"
);
mistake!(a_list_of_one, "inputs: { a: made.text }\nwith: { run: \"cat ${{ inputs.a.list }}\" }");
mistake!(a_collection_within_a_word, "inputs: { a: [made.text] }\nwith: { run: \"cat x${{ inputs.a }}\" }");
mistake!(an_unknown_parameter_in_a_command, "with: { run: \"echo ${{ params.x }}\" }");
mistake!(
    resources_mixed_with_values,
    "matrix: { n: [1] }\nwith: { run: \"echo ${{ resources.cpus * matrix.n }}\" }"
);
mistake!(nothing_for_a_value, "with: { run: \"echo ${{ resources.memory }}\" }");
mistake!(a_reference_in_single_quotes, "inputs: { a: made.text }\nwith: { run: \"grep '${{ inputs.a }}'\" }");
mistake!(a_quote_that_is_not_closed, "with: { run: \"echo 'a\" }");
mistake!(a_program_that_is_not_there, "with: { run: ls, programs: [no-such-program-x] }");
mistake!(a_variable_that_is_none, "with: { run: ls, env: [\"A=1\"] }");
mistake!(an_output_with_a_hyphen, "with: { run: ls }\noutputs: { my-table: file }");
mistake!(an_output_that_nobody_has, "with: { run: ls }\npublish: { out: x.txt }");

#[test]
fn outputs_of_an_operation() {
    assert_snapshot!(problems(
        &program("with: { run: ls }").replace("    matrix: { n: [1, 2] }\n", "    outputs: { text: file }\n")
    ));
}

#[test]
fn an_input_of_the_wrong_kind_behind_a_program() {
    let text = program("with: { run: \"ls > ${{ outputs.out }}\" }\noutputs: { out: metrics }")
        + "  lines: { uses: demo/grep, inputs: { text: clean.out }, with: { contains: x } }\n";
    assert_snapshot!(problems(&text));
}

#[test]
fn a_file_that_the_workflow_publishes() {
    let folder = Folder::new();
    folder.write("out/x.txt", "x");
    let text = program("with: { run: \"cat out/x.txt\" }")
        .replace("    matrix: { n: [1, 2] }\n", "    publish: { text: out/x.txt }\n");
    assert_snapshot!(folder.load(&text, None, &[]).unwrap_err());
}

#[test]
fn inputs_are_those_of_the_stage_and_the_files_that_the_command_names() {
    let folder = Folder::new();
    folder.write(".git/x", "");
    folder.write("fit.py", "");
    folder.write("data/a.csv", "");
    folder.write("data/b.csv", "");
    folder.write("log.txt", "");
    let text = program(
        "inputs: { parts: [made.text], table: { path: data/a.csv }, all: { path: data } }
matrix: { name: [a, b] }
with:
  run: python ./fit.py 'data/${{ matrix.name }}.csv' >> log.txt
",
    )
    .replace("'data/${{ matrix.name }}.csv'", "data/${{ matrix.name }}.csv $x *.txt");
    let graph = folder.load(&text, None, &[]).unwrap();
    let inputs = |name: &str| -> Vec<(String, usize)> {
        let node = graph.node(graph.find(name).unwrap());
        node.inputs.iter().map(|(name, sources)| (name.clone(), sources.len())).collect()
    };
    let own = |more: &[&str]| -> Vec<(String, usize)> {
        let own = [("parts", 2), ("table", 1), ("all", 1), ("file:./fit.py", 1)];
        own.iter()
            .copied()
            .chain(more.iter().map(|name| (*name, 1)))
            .map(|(name, n)| (name.to_owned(), n))
            .collect()
    };
    // One that is an input already is not so twice.
    assert_eq!(inputs("clean[name=a]"), own(&[]));
    assert_eq!(inputs("clean[name=b]"), own(&["file:data/b.csv"]));
    let node = graph.node(graph.find("clean[name=a]").unwrap());
    let kinds: Vec<String> = node
        .inputs
        .iter()
        .filter_map(|(_, sources)| match &sources[0].from {
            Origin::External { kind, .. } => Some(kind.to_string()),
            Origin::Output { .. } | Origin::Entry { .. } => None,
        })
        .collect();
    assert_eq!(kinds, ["file", "folder", "file"]);
}

#[test]
fn a_command_is_symbols_and_values() {
    let graph = graph(
        "flow: 1
params: { n: 3 }
stages:
  one:
    uses: exec/run
    resources: { cpus: 2 }
    with: { run: \"head -n ${{ params.n }} > \\\"${{ outputs.out }}\\\" -j${{ resources.cpus * 2 }}\", env: [NOT_SET_X] }
    outputs: { out: file }
  two: { uses: exec/run, with: { run: [head, -n, 3, \"${{ [params.n, 'x'] }}\", \"a${{ params.n }}\"] } }
",
    );
    let params = |name: &str| graph.node(graph.find(name).unwrap()).params.to_string();
    assert_eq!(
        params("one"),
        r#"{"run":{"shell":["head -n ",{"value":3}," > \"",{"quoted":{"output":"out"}},"\" -j",{"resources":"resources.cpus * 2"}]},"env":{"NOT_SET_X":null}}"#
    );
    assert_eq!(
        params("two"),
        r#"{"run":{"arguments":[["head"],["-n"],["3"],[{"value":[3,"x"]}],["a",{"value":3}]]},"env":{}}"#
    );
    let one = graph.node(graph.find("one").unwrap());
    assert_eq!(one.job_params(1)["resources"]["resources.cpus * 2"], 4);
}
