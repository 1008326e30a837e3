"""What a result depends on of the plugin's own code: syntax trees, without docstrings, of the modules in reach.

Nothing is imported for this. A comment, formatting or a docstring changes nothing; a constant does.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set


class Code:
    """The modules below a folder, as they import each other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests: Dict[Path, str] = {}
        self._imports: Dict[Path, Set[Path]] = {}

    def files(self) -> List[Path]:
        """The modules that have been looked at."""
        return sorted(self._digests)

    def reach(self, module: Path) -> Dict[str, str]:
        """By path from the root: digests of a module and of all that it imports, directly or not.

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
        return {path.relative_to(self.root).as_posix(): self._digests[path] for path in sorted(seen)}

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
                    yield from self._module(self.root, alias.name.split("."))
            elif isinstance(node, ast.ImportFrom):
                base: Optional[Path] = self.root
                if node.level:
                    # One dot is the module's own package.
                    base = path.parents[node.level - 1]
                names = node.module.split(".") if node.module else []
                if base is None or not (base == self.root or self.root in base.parents):
                    continue
                yield from self._module(base, names)
                for alias in node.names:
                    # What is imported may be a module by itself.
                    yield from self._module(base, [*names, alias.name])

    def _module(self, base: Path, names: List[str]) -> Iterator[Path]:
        """The files that are executed when a module is imported: the packages on the way, and its own."""
        folder = base
        if folder != self.root and (folder / "__init__.py").is_file():
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


def without_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            del node.body[0]
