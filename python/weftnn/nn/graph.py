"""The graph of a model file: how to compute a layer from its weights (docs/model_format.md).

    {"format": 1, "graph": node}        or        {"format": 1, "obstacle": "why there is no graph"}

A layer's method `graph` describes it in the few operations of the format. The GraphWriter finds the names of
the weights and the nodes of the layers inside.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np

from weftnn.nn.parameter import Parameter
from weftnn.nn.tree import Tree

Node: TypeAlias = dict[str, Any]
FORMAT = 1


class NoNativeForm(ValueError):
    """A layer that the model file's operations cannot express."""


class Describable(Tree, Protocol):
    """A layer, as far as its graph goes."""

    def graph(self, writer: GraphWriter) -> Node: ...


class GraphWriter:
    """Writes the nodes of one model: the argument of every layer's `graph`.

    >>> from weftnn.nn import Linear, ReLU, Residual, Sequential
    >>> model = Sequential(Linear(2, 2, bias=False), Residual(ReLU()))
    >>> GraphWriter(model).layer(model)["layers"][0]
    {'op': 'linear', 'weight': '0.weight'}
    """

    def __init__(self, model: Describable) -> None:
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._paths: dict[int, str] = {}
        for path, layer in model.named_layers():
            self._paths.setdefault(id(layer), path)

    def node(self, op: str, **entries: Any) -> Node:
        """{"op": op, ...}: of a Parameter its name, of a Layer its node; what is None is left out."""
        return {"op": op, **self.entries(**entries)}

    def entries(self, **entries: Any) -> Node:
        """The same for what is a part of a node, as positions are of attention's."""
        return {name: self._entry(value) for name, value in entries.items() if value is not None}

    def sequence(self, *parts: Describable | Node) -> Node:
        """Layers or nodes one after the other. Sequences within it are spliced, and one node is itself."""
        nodes: list[Node] = []
        for part in parts:
            node = part if isinstance(part, dict) else self.layer(part)
            nodes += node["layers"] if node["op"] == "sequential" else [node]
        return nodes[0] if len(nodes) == 1 else {"op": "sequential", "layers": nodes}

    def layer(self, layer: Describable) -> Node:
        """The node of a layer. Raises NoNativeForm if it has none."""
        node = self.part(layer)
        if "op" not in node:
            raise self.obstacle(layer, "it is a part of attention, not a layer of a sequence")
        return node

    def part(self, layer: Describable) -> Node:
        """What a layer's `graph` gives: a node, or an entry of the node of the layer that has it."""
        kind = type(layer)
        owner = _owner(kind, "graph")
        if _owner(kind, "predict") not in owner.__mro__:  # an inherited graph says nothing of a new predict
            raise self.obstacle(layer, f"{kind.__name__} defines predict, but no graph")
        node: Node = kind.graph(layer, self)
        return node

    def obstacle(self, layer: Describable, reason: str) -> NoNativeForm:
        """The error that says which layer has no native form, and why."""
        path = self._paths.get(id(layer))
        where = f" (at {path})" if path else ""
        return NoNativeForm(f"{type(layer).__name__}{where} has no native form: {reason}")

    def _entry(self, value: Any) -> Any:
        if isinstance(value, Parameter):
            if id(value) not in self._names:
                raise ValueError(f"GraphWriter: the model does not hold {value!r}, which a graph names")
            return self._names[id(value)]
        if isinstance(value, np.generic):
            return value.item()  # JSON has no NumPy numbers
        return self.layer(value) if hasattr(value, "graph") else value


def describe(model: Describable) -> dict[str, Any]:
    """The entry `weft` of a model file.

    >>> from weftnn.nn import Linear, Transformer
    >>> describe(Linear(3, 2))
    {'format': 1, 'graph': {'op': 'linear', 'weight': 'weight', 'bias': 'bias'}}
    >>> describe(Transformer(4, 2, 1, 1, 4))["obstacle"]
    'Transformer has no native form: it reads two sequences'
    """
    writer = GraphWriter(model)
    try:
        node = writer.layer(model)
        dtypes = {parameter.dtype.name for _, parameter in model.named_parameters()}
        if len(dtypes) != 1:
            found = " and ".join(sorted(dtypes)) or "no weights"
            raise writer.obstacle(model, f"its weights must be of one dtype, found {found}")
    except NoNativeForm as error:
        return {"format": FORMAT, "obstacle": str(error)}
    return {"format": FORMAT, "graph": node}


def takes_tokens(node: Node) -> bool:
    """Whether x are whole numbers: an embedding comes first."""
    while node["op"] == "sequential" and node["layers"]:
        node = node["layers"][0]
    return bool(node["op"] == "embedding")


def _owner(kind: type, name: str) -> type:
    """The class from which objects of this kind have an attribute."""
    return next((base for base in kind.__mro__ if name in vars(base)), object)
