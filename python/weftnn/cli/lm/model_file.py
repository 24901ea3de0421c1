"""Opening a trained model for a command, with an error that says what to give instead."""

from __future__ import annotations

from pathlib import Path

from weftnn.cli.arguments import CommandError
from weftnn.models import GPT, ByteModel
from weftnn.models.byte_model import find_model

__all__ = ["describe", "load_model"]


def load_model(name: str) -> ByteModel:
    """The model in a run's folder or in a file. Raises CommandError where there is none, or no whole one."""
    path = Path(name)
    file = find_model(path)
    if path.is_dir() and not file.exists():
        raise CommandError(f"the folder {name!r} holds no {file.name}: no run has saved a model there yet")
    if not file.exists():
        raise CommandError(f"there is no model {name!r}: give the folder of a run or a .safetensors file")
    try:
        return ByteModel.load(file)
    except OSError as error:
        raise CommandError(f"cannot read the model {str(file)!r}: {error.strerror or error}") from None
    except MemoryError:
        raise CommandError(f"the model {str(file)!r} does not fit into memory") from None
    except ValueError as error:
        raise CommandError(str(error)) from None


def describe(model: ByteModel) -> str:
    """One line: kind, sizes, number of parameters."""
    config = model.config
    layers = f"{config['num_layers']} x " if config["num_layers"] > 1 else ""
    parameters = sum(parameter.size for parameter in model.parameters())
    tied = ", tied weights" if config["tie_weights"] else ""
    if isinstance(model, GPT):
        kind = f"GPT, context {config['context']}, {config['positions']} positions"
        sizes = f"hidden {layers}{config['hidden_size']} in {config['num_heads']} heads"
    else:
        kind = f"{config['cell'].upper()}, embedding {config['embedding_size']}"
        sizes = f"hidden {layers}{config['hidden_size']}"
    return f"{kind}, {sizes}{tied}, {config['dtype']}: {parameters:,} parameters"
