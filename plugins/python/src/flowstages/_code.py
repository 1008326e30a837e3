"""What a result depends on of the plugin's own code: syntax trees, without docstrings, of the modules in reach.

Nothing is imported for this. A comment, formatting or a docstring changes nothing; a constant does. Modules of the
interpreter and of packages that were copied into it are not looked at: they count by their versions. Those that lie
elsewhere, as with an editable installation, are the author's own and count like the plugin's.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set


class Code:
    """The modules below a folder, as they import each other, and those elsewhere that are installed as they lie."""

    def __init__(self, root: Path, package: Optional[str] = None) -> None:
        """Of an installed `package`, the modules beside it below the root are not the plugin's own."""
        self.root = root
        self._package = package
        #: A plugin that lies where packages are installed, as a file, is its author's all the same.
        self._inside = installed(root)
        self._digests: Dict[Path, str] = {}
        self._imports: Dict[Path, Set[Path]] = {}
        #: By module: the folder that its absolute imports, and its name in a key, start from.
        self._roots: Dict[Path, Path] = {}
        #: By the first part of a module's name: the folder elsewhere that it lies in.
        self._elsewhere: Dict[str, Optional[Path]] = {}

    def is_own(self, path: Path) -> bool:
        """Whether a module is the plugin's: below its folder, where an environment with other people's may lie too."""
        if self._package is not None:
            place = self.root / self._package
            return place in path.parents or path == place.with_suffix(".py")
        return self.root in path.parents and (self._inside or not installed(path))

    def files(self) -> List[Path]:
        """The modules that have been looked at."""
        return sorted(self._digests)

    def reach(self, module: Path) -> Dict[str, str]:
        """By path from the folder that imports start from: digests of a module and of all that it imports, directly or not.

        Raises ``SyntaxError`` where one of them cannot be read.
        """
        seen: Set[Path] = set()
        waiting = [module]
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                self._look_at(path)
                waiting.extend(self._imports[path] - seen)
        found = {path.relative_to(self._root_of(path)).as_posix(): self._digests[path] for path in seen}
        return dict(sorted(found.items()))

    def _root_of(self, path: Path) -> Path:
        return self._roots.get(path, self.root)

    def _look_at(self, path: Path) -> None:
        if path in self._digests:
            return
        tree = ast.parse(path.read_bytes(), str(path))
        self._imports[path] = set(self._imported(path, tree))
        without_docstrings(tree)
        self._digests[path] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()

    def _imported(self, path: Path, tree: ast.AST) -> Iterator[Path]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._absolute(alias.name.split("."))
            elif isinstance(node, ast.ImportFrom):
                names = node.module.split(".") if node.module else []
                # What is imported may be a module by itself.
                for wanted in [names, *([*names, alias.name] for alias in node.names)]:
                    if not node.level:
                        yield from self._absolute(wanted)
                        continue
                    # One dot is the module's own package.
                    root, base = self._root_of(path), path.parents[node.level - 1]
                    if base == root or root in base.parents:
                        yield from self._module(root, base, wanted)

    def _absolute(self, names: List[str]) -> Iterator[Path]:
        if self._package in (None, names[0]):
            own = list(self._module(self.root, self.root, names))
            if own:
                yield from own
                return
        if names[0] not in self._elsewhere:
            self._elsewhere[names[0]] = lying(names[0])
        root = self._elsewhere[names[0]]
        if root is not None:
            yield from self._module(root, root, names)

    def _module(self, root: Path, base: Path, names: List[str]) -> Iterator[Path]:
        """The files that are executed when a module is imported: the packages on the way, and its own."""
        for path in self._executed(root, base, names):
            if root != self.root:
                self._roots[path] = root
            yield path

    def _executed(self, root: Path, base: Path, names: List[str]) -> Iterator[Path]:
        folder = base
        if folder != root and (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
        for name in names:
            if name == "*":
                return
            package, module = folder / name / "__init__.py", folder / f"{name}.py"
            if package.is_file():
                yield package
            elif module.is_file():
                yield module
                return
            elif not (folder / name).is_dir():
                return
            folder = folder / name


def lying(name: str) -> Optional[Path]:
    """The folder that a module lies in which belongs to neither the interpreter nor what was copied into it."""
    try:
        # Nothing is imported for a name without points.
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        return None
    path = Path(found.origin).resolve()
    if installed(path) or Path(__file__).resolve().parent in path.parents:
        return None
    return path.parents[1] if path.name == "__init__.py" else path.parent


def installed(path: Path) -> bool:
    """Whether it belongs to the interpreter or to what was copied into it, and so has a version."""
    prefixes = (Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix))
    return any(prefix in path.parents for prefix in prefixes) or bool({"site-packages", "dist-packages"} & set(path.parts))


def without_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            del node.body[0]
