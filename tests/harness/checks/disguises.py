"""Mechanical disguises of code: it means the same afterwards, and looks different."""

from __future__ import annotations

import ast
from collections.abc import Callable

Disguise = Callable[[ast.Module], ast.Module]


def aliased(tree: ast.Module) -> ast.Module:
    """Import every name under another one: `from x import name as name_`."""
    renamed = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                renamed[alias.asname or alias.name] = f"{alias.asname or alias.name}_"
                alias.asname = f"{alias.asname or alias.name}_"
    return _renamed(tree, {old: ast.Name(new) for old, new in renamed.items()})


def qualified(tree: ast.Module) -> ast.Module:
    """Import modules instead of names: `import x.y as module_0` and `module_0.name`."""
    found: dict[str, ast.expr] = {}
    modules: dict[str, str] = {}

    class Imports(ast.NodeTransformer):
        def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
            if node.module in (None, "__future__") or node.level:
                return node
            short = modules.setdefault(str(node.module), f"module_{len(modules)}")
            for alias in node.names:
                found[alias.asname or alias.name] = ast.Attribute(ast.Name(short), alias.name)
            return ast.Import([ast.alias(str(node.module), short)])

    return _renamed(Imports().visit(tree), found)


def formatted(tree: ast.Module) -> ast.Module:
    """Write each argument that is a string as an f-string without any field."""

    class Strings(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            node.args = [_formatted(value) for value in node.args]
            for keyword in node.keywords:
                keyword.value = _formatted(keyword.value)
            return node

    made: ast.Module = Strings().visit(tree)
    return made


def named(tree: ast.Module) -> ast.Module:
    """Give each keyword argument that is a constant a name at the top of the file."""
    values: list[ast.expr] = []

    class Constants(ast.NodeTransformer):
        def visit_keyword(self, node: ast.keyword) -> ast.keyword:
            self.generic_visit(node)
            if isinstance(node.value, ast.Constant):
                values.append(node.value)
                node.value = ast.Name(f"CONSTANT_{len(values)}")
            return node

    tree = Constants().visit(tree)
    names: list[ast.expr] = [ast.Name(f"CONSTANT_{number}") for number in range(1, len(values) + 1)]
    tree.body.insert(0, ast.Assign([ast.Tuple([*names, ast.Name("_")])], ast.Tuple([*values, ast.Constant(0)])))
    return tree


def spread(tree: ast.Module) -> ast.Module:
    """Hand over the keyword arguments of each call as a dictionary."""

    class Calls(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            if node.keywords and all(keyword.arg for keyword in node.keywords):
                keys: list[ast.expr | None] = [ast.Constant(keyword.arg) for keyword in node.keywords]
                node.keywords = [ast.keyword(None, ast.Dict(keys, [keyword.value for keyword in node.keywords]))]
            return node

    made: ast.Module = Calls().visit(tree)
    return made


def _formatted(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        return ast.JoinedStr([value])
    return value


def _renamed(tree: ast.Module, names: dict[str, ast.expr]) -> ast.Module:
    class Names(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return names.get(node.id, node) if isinstance(node.ctx, ast.Load) else node

    made: ast.Module = Names().visit(tree)
    return made


DISGUISES: tuple[Disguise, ...] = (aliased, qualified, formatted, named, spread)


def disguised(text: str, disguise: Disguise | None) -> str:
    """Return the code in disguise, or only without its comments and blank lines: line by line the same."""
    tree = ast.parse(text)
    made = disguise(tree) if disguise else tree
    # a disguise may need one line of its own, at the top
    head = "" if disguise is named else "_ = 0\n"
    return f"{head}{ast.unparse(ast.fix_missing_locations(made))}\n"
