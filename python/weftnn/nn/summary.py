"""The table that `layer.summary()` gives."""

from __future__ import annotations

from weftnn.nn.tree import Tree


def summarise(model: Tree) -> str:
    """A line for each parameter: path, layer, name, shape, how many numbers, how many bytes; then the total.

    >>> from weftnn.nn import GRU, Linear, Sequential
    >>> print(Sequential(GRU(2, 3, bias=False), Linear(3, 1)).summary())
    path   layer         parameter     shape   numbers  bytes
           Sequential
    0      GRU(2, 3)     weight_ih_l0  (9, 2)       18     72
                         weight_hh_l0  (9, 3)       27    108
    1      Linear(3, 1)  weight        (1, 3)        3     12
                         bias          (1,)          1      4
    total                                           49    196
    """
    rows = [("path", "layer", "parameter", "shape", "numbers", "bytes")]
    first_name: dict[int, str] = {}
    numbers = size = 0
    for path, layer in model.named_layers():
        title = type(layer).__name__ if layer.children() else repr(layer)
        own = list(layer.own_parameters())
        if not own:
            rows.append((path, title, "", "", "", ""))
        for name, parameter in own:
            full_name = f"{path}.{name}" if path else name
            tied = first_name.setdefault(id(parameter), full_name)
            if tied == full_name:
                count, memory = parameter.size, parameter.data.nbytes
                numbers, size = numbers + count, size + memory
                row = (path, title, name, str(parameter.shape), f"{count:,}", f"{memory:,}")
            else:
                row = (path, title, name, str(parameter.shape), "tied to", tied)
            rows.append(row)
            path = title = ""
    rows.append(("total", "", "", "", f"{numbers:,}", f"{size:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligns = "<<<<>>"
    return "\n".join(
        "  ".join(f"{cell:{a}{w}}" for cell, a, w in zip(row, aligns, widths, strict=True)).rstrip()
        for row in rows
    )
