"""Tests of the package by itself: python -m unittest discover plugins/python/tests"""

import dataclasses
import enum
import json
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from typing import Annotated, Dict, List, Literal, NamedTuple, Optional, Tuple

import numpy as np
from flowstages import Context, Dataset, File, Metrics, Model, Range, Unit, Variable, operation
from flowstages import _dataset
from flowstages._artifacts import read_metrics, read_model, write_metrics, write_model
from flowstages._code import Code
from flowstages._context import Checkpoints
from flowstages._hints import from_json, parameter_docs, schema_of
from flowstages._operation import REGISTRY, DeclarationError
from flowstages._worker import describe, user_frames


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)


class Datasets(Folder):
    def test_values_dimensions_and_units_come_back(self):
        values = np.arange(24, dtype="f4").reshape(4, 6)
        data = Dataset(
            {"height": Variable(values, ("time", "x"), "m", "Height"), "g": Variable(np.float64(9.81), (), "m/s2")},
            {"grid": "regular"},
            mask=Variable(values[0] > 2, ("x",)),
        )
        data.write(self.folder / "data")
        found = Dataset.open(self.folder / "data")
        np.testing.assert_array_equal(found["height"], values)
        self.assertEqual(found["g"][()], 9.81)
        self.assertEqual(found["mask"].tolist(), [0, 0, 0, 1, 1, 1])
        self.assertEqual((found.variable("height").dims, found.variable("height").units), (("time", "x"), "m"))
        self.assertEqual(found.attributes, {"grid": "regular"})
        self.assertIsInstance(found["height"].base if found["height"].base is not None else found["height"], object)
        self.assertFalse(found["height"].flags.writeable)

    def test_large_variables_are_in_several_chunks(self):
        before, _dataset.CHUNK_BYTES = _dataset.CHUNK_BYTES, 100
        self.addCleanup(setattr, _dataset, "CHUNK_BYTES", before)
        values = np.arange(35.0).reshape(7, 5)
        Dataset(x=Variable(values, ("a", "b"))).write(self.folder / "data")
        self.assertEqual(len(list((self.folder / "data/x").glob("c.*"))), 4)
        found = Dataset.open(self.folder / "data")
        np.testing.assert_array_equal(found["x"], values)
        for start in range(7):
            for stop in range(start, 8):
                np.testing.assert_array_equal(found.rows("x", start, stop), values[start:stop])

    def test_inputs_are_mapped_and_not_copied(self):
        before, _dataset.CHUNK_BYTES = _dataset.CHUNK_BYTES, 50_000
        self.addCleanup(setattr, _dataset, "CHUNK_BYTES", before)
        values = np.arange(30_000, dtype="f4").reshape(10_000, 3)
        Dataset(x=Variable(values, ("a", "b"))).write(self.folder / "data")
        chunks = sorted((self.folder / "data/x").glob("c.*"))
        self.assertEqual([chunk.stat().st_size for chunk in chunks], [48 << 10] * 3)
        found = Dataset.open(self.folder / "data")["x"]
        part = Dataset.open(self.folder / "data").rows("x", 4000, 9000)
        np.testing.assert_array_equal(found, values)
        np.testing.assert_array_equal(part, values[4000:9000])
        with self.assertRaises(ValueError):
            found[0, 0] = 1.0
        # What is seen is the file itself.
        with open(chunks[1], "r+b") as file:
            file.write(np.float32(-1.0).tobytes())
        self.assertEqual((found[4096, 0], part[96, 0]), (-1.0, -1.0))
        chunks[2].write_bytes(b"")
        with self.assertRaisesRegex(ValueError, "is shorter than its 49152 bytes"):
            Dataset.open(self.folder / "data")["x"]

    def test_what_is_declared_fills_in_what_is_not_said(self):
        declared = _dataset.parse_variables("x: f32 (a, b) m; y: (a)")
        Dataset(x=np.ones((2, 3)), y=np.arange(2)).write(self.folder / "data", declared)
        found = Dataset.open(self.folder / "data")
        self.assertEqual((found["x"].dtype, found.variable("x").dims), (np.dtype("f4"), ("a", "b")))
        self.assertEqual((found["y"].dtype, found.variable("y").units), (np.dtype("f8"), "1"))

    def test_what_cannot_be_is_refused(self):
        cases = [
            (Dataset(x=np.ones(3)), [], "have no names"),
            (Dataset(x=Variable(np.ones(3), ("a", "b"))), [], "has 1 dimensions"),
            (Dataset(x=Variable(np.ones(3), ("a",)), y=Variable(np.ones(2), ("a",))), [], "length 3 in `x` and 2"),
            (Dataset(x=Variable(np.ones(3, complex), ("a",))), [], "elements of type complex128"),
            (Dataset(x=np.ones(3)), _dataset.parse_variables("x: i32 (a)"), "declared as i32"),
            (Dataset(x=Variable(np.ones(3), ("a",))), _dataset.parse_variables("z: (a)"), "no variable `z`"),
            (Dataset({"../x": Variable(np.ones(3), ("a",))}), [], "cannot be called"),
        ]
        for number, (data, declared, message) in enumerate(cases):
            with self.assertRaisesRegex(ValueError, message):
                data.write(self.folder / str(number), declared)


class Artifacts(Folder):
    def test_models_and_metrics_come_back(self):
        model = Model({"b": np.arange(6.0).reshape(2, 3), "a": np.zeros((0, 2), "f4")}, {"width": np.int64(3)})
        write_model(model, self.folder / "model")
        found = read_model(self.folder / "model")
        np.testing.assert_array_equal(found["b"], model["b"])
        self.assertEqual((found["a"].shape, found.config), ((0, 2), {"width": 3}))
        write_metrics({"r2": np.float32(0.5), "worst": float("inf"), "by": {"n": np.int64(3)}}, self.folder / "m")
        self.assertEqual(read_metrics(self.folder / "m"), {"r2": 0.5, "worst": float("inf"), "by": {"n": 3}})

    def test_without_an_engine_there_are_no_checkpoints_and_nothing_fails(self):
        context = Context()
        context.checkpoints.save(1, b"state")
        self.assertIsNone(context.checkpoints.last())
        # In a run the operation must have declared them.
        with self.assertRaisesRegex(RuntimeError, "checkpoints=True"):
            Context({"id": 1, "outputs": {}}).checkpoints.save(1, b"state")

    def test_a_damaged_checkpoint_falls_back(self):
        checkpoints = Checkpoints(self.folder / "c")
        self.assertIsNone(checkpoints.last())
        for step in (1, 2, 30):
            checkpoints.save(step, f"state {step}".encode())
        self.assertEqual(checkpoints.last(), (30, b"state 30"))
        files = sorted((self.folder / "c").glob("*.checkpoint"))
        self.assertEqual(len(files), 2)
        files[-1].write_bytes(b"garbage")
        self.assertEqual(checkpoints.last(), (2, b"state 2"))


class Kind(enum.Enum):
    LINE = "line"
    CURVE = "curve"


@dataclasses.dataclass
class Layer:
    """A layer.

    Attributes:
        width: How wide.
    """

    width: int
    kind: Kind = Kind.LINE


class Hints(unittest.TestCase):
    def test_schemas(self):
        cases = [
            (int, {"type": "integer"}),
            (Annotated[float, Range(0, 1), Unit("km")], {"type": "number", "minimum": 0, "maximum": 1, "x-unit": "km"}),
            (Optional[str], {"anyOf": [{"type": "string"}, {"type": "null"}]}),
            (Literal["a", "b"], {"enum": ["a", "b"]}),
            (Kind, {"enum": ["line", "curve"]}),
            (List[int], {"type": "array", "items": {"type": "integer"}}),
            (Dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
            (Path, {"type": "string", "format": "path"}),
            (
                Tuple[int, str],
                {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
            ),
        ]
        if sys.version_info >= (3, 10):
            cases.append((eval("int | None"), {"anyOf": [{"type": "integer"}, {"type": "null"}]}))
        for hint, expected in cases:
            self.assertEqual(schema_of(hint), expected)
        layer = schema_of(Layer)
        self.assertEqual(layer["required"], ["width"])
        self.assertEqual(layer["properties"]["width"], {"type": "integer", "description": "How wide."})
        self.assertEqual(layer["properties"]["kind"]["default"], "line")

    def test_values_become_what_the_hint_says(self):
        self.assertEqual(from_json(List[Layer], [{"width": 2, "kind": "curve"}]), [Layer(2, Kind.CURVE)])
        self.assertEqual(from_json(Tuple[float, ...], [1, 2]), (1.0, 2.0))
        self.assertIsInstance(from_json(float, 1), float)
        self.assertEqual(from_json(Optional[Path], "a/b"), Path("a/b"))
        self.assertIsNone(from_json(Optional[Path], None))

    def test_docstrings_of_both_styles(self):
        google = "Does.\n\nArgs:\n    a: First\n        and more.\n    b (int): Second.\n\nReturns:\n    It.\n"
        self.assertEqual(parameter_docs(google), {"a": "First and more.", "b": "Second.", "returns": "It."})
        numpy = "Does.\n\nParameters\n----------\na : int\n    First.\nb\n    Second.\n\nReturns\n-------\n    It.\n"
        self.assertEqual(parameter_docs(numpy), {"a": "First.", "b": "Second.", "returns": "It."})


class Results(NamedTuple):
    data: Annotated[Dataset, "y: (x) m"]
    scores: Metrics


class Operations(Folder):
    def declare(self, function, **more):
        before = len(REGISTRY)
        operation(**more)(function)
        self.addCleanup(REGISTRY.pop)
        return REGISTRY[before]

    def test_ports_and_parameters(self):
        def fit(
            data: Annotated[Dataset, "y: f32 (x) m"],
            more: List[File],
            context: Context,
            prior: Optional[Metrics] = None,
            degree: int = 2,
        ) -> Results:
            """Fits.

            By least squares.

            Args:
                degree: Of the polynomial.
            """
            raise AssertionError("only what it declares is read")

        spec = self.declare(fit, version=3, checkpoints=True).spec("mine", {"a.py": "1"})
        self.assertEqual((spec["summary"], spec["doc"]), ("Fits.", "By least squares."))
        self.assertEqual((spec["name"], spec["version"], spec["checkpoints"]), ("mine/fit", 3, True))
        ports = [(p["name"], p["kind"], p.get("multiplicity"), p.get("optional")) for p in spec["inputs"]]
        self.assertEqual(
            ports, [("data", "dataset", None, None), ("more", "file", "many", None), ("prior", "metrics", None, True)]
        )
        self.assertEqual([p["name"] for p in spec["outputs"]], ["data", "scores"])
        self.assertEqual(list(spec["params"]["properties"]), ["degree"])

    def test_a_run_reads_calls_and_writes(self):
        def double(data: Dataset, context: Context, times: float = 2.0) -> Results:
            context.metric("loss", 1, float("nan"))
            return Results(Dataset(y=data["y"] * times), Metrics(seed=context.seed))

        Dataset(y=Variable(np.arange(3.0), ("x",))).write(self.folder / "in")
        outputs = {name: str(self.folder / name) for name in ("data", "scores")}
        job = {"id": 4, "params": {"times": 3}, "seed": 9, "outputs": outputs}
        job["inputs"] = {"data": [{"path": str(self.folder / "in"), "kind": "dataset"}]}
        said = []
        self.declare(double).run(job, Context(job, said.append))
        self.assertEqual(Dataset.open(self.folder / "data")["y"].tolist(), [0, 3, 6])
        self.assertEqual(json.loads((self.folder / "scores").read_text()), {"seed": 9})
        self.assertEqual(said, [{"type": "metric", "id": 4, "name": "loss", "step": 1, "value": "NaN"}])

    def test_declarations_that_make_no_sense(self):
        def untyped(x) -> Metrics: ...
        def several(*x: int) -> Metrics: ...
        def nothing(x: int): ...
        def other(x: int) -> int: ...
        def unknown(x: complex) -> Metrics: ...
        def variables(x: Annotated[Dataset, "height (x)"]) -> Metrics: ...

        for function, message in [
            (untyped, "without a type hint"),
            (several, "needs a name of its own"),
            (nothing, "does not say what it returns"),
            (other, "is no output"),
            (unknown, "neither a kind of artifact nor a type of parameters"),
            (variables, "is no variable"),
        ]:
            with self.assertRaisesRegex(DeclarationError, message) as caught:
                self.declare(function).spec("mine", {})
            self.assertEqual(caught.exception.lineno, function.__code__.co_firstlineno)


class Codes(Folder):
    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def reach(self):
        return Code(self.folder).reach(self.folder / "main.py")

    def test_what_is_imported_counts_and_nothing_else(self):
        self.write("main.py", "import numpy\nfrom lib import part\ndef f():\n    import late\n")
        self.write("lib/__init__.py", "")
        self.write("lib/part.py", "from . import inner\nfrom .inner import X\nX = 1\n")
        self.write("lib/inner.py", "X = 1\n")
        self.write("late.py", "import main\n")
        self.write("unrelated.py", "X = 1\n")
        before = self.reach()
        self.assertEqual(list(before), ["late.py", "lib/__init__.py", "lib/inner.py", "lib/part.py", "main.py"])
        self.write("lib/inner.py", '"""Doc."""\n# Comment\nX  = (1)\n')
        self.write("unrelated.py", "X = 2\n")
        self.assertEqual(self.reach(), before)
        self.write("lib/inner.py", "X = 2\n")
        changed = self.reach()
        self.assertEqual([name for name in changed if changed[name] != before[name]], ["lib/inner.py"])

    def test_modules_that_are_installed_as_they_lie_count_too(self):
        with tempfile.TemporaryDirectory() as other:
            elsewhere = Path(other).resolve()
            (elsewhere / "lying").mkdir()
            for name, text in [("__init__.py", "from . import inner\n"), ("inner.py", "X = 1\n"), ("beside.py", "Y = 1\n")]:
                (elsewhere / "lying" / name).write_text(text)
            sys.path.append(other)
            self.addCleanup(sys.path.remove, other)
            self.write("main.py", "import json, numpy, lying, flowstages, no_such_module\n")
            before = self.reach()
            self.assertEqual(list(before), ["lying/__init__.py", "lying/inner.py", "main.py"])
            (elsewhere / "lying/beside.py").write_text("Y = 2\n")
            self.assertEqual(self.reach(), before)
            (elsewhere / "lying/inner.py").write_text("X = 2\n")
            changed = self.reach()
            self.assertEqual([name for name in changed if changed[name] != before[name]], ["lying/inner.py"])

    def test_of_an_installed_package_its_neighbours_are_not_its_own(self):
        self.write("tools/__init__.py", "import beside, json\nfrom tools import part\n")
        self.write("tools/part.py", "from . import X\n")
        self.write("beside.py", "")
        entry = self.folder / "tools/__init__.py"
        self.assertEqual(list(Code(self.folder).reach(entry)), ["beside.py", "tools/__init__.py", "tools/part.py"])
        self.assertEqual(list(Code(self.folder, "tools").reach(entry)), ["tools/__init__.py", "tools/part.py"])

    def test_what_is_installed_below_the_plugin_is_not_its_own(self):
        root = self.folder.resolve()
        beneath = root / ".venv/lib/python3/site-packages"
        code, installed = Code(root), Code(beneath, "tools")
        places = [root / "main.py", root / "lib/part.py", beneath / "tools/__init__.py", beneath / "beside.py", Path("/x.py")]
        self.assertEqual([code.is_own(place) for place in places], [True, True, False, False, False])
        self.assertEqual([installed.is_own(place) for place in places], [False, False, True, False, False])
        # A traceback shows the plugin's own lines.
        names = {}
        for text, path in [("def invert(x): raise ArithmeticError('singular')", places[2]), ("def run(): invert(0)", places[0])]:
            exec(compile(text, str(path), "exec"), names)
        try:
            names["run"]()
        except ArithmeticError as error:
            self.assertEqual([Path(frame.filename).name for frame in user_frames(error, code)], ["main.py"])
            self.assertEqual(describe(error, code), "ArithmeticError: singular (main.py, line 1, in run)")
        else:
            self.fail("nothing was raised")


if __name__ == "__main__":
    unittest.main()
