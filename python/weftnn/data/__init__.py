"""Sources of training batches: text streams, windows, arrays, ragged sequences; splitting and standardizing.

Every source gives `batches(epoch)` and a length, and is a function of its arguments, its seed and the epoch.
"""

from weftnn.data.array_dataset import ArrayDataset
from weftnn.data.batch import Batch, DataSource
from weftnn.data.ragged_batches import RaggedBatches
from weftnn.data.split import Split, split
from weftnn.data.standardizer import Standardizer
from weftnn.data.text_stream import TextStream
from weftnn.data.windows import Windows

__all__ = [
    "ArrayDataset",
    "Batch",
    "DataSource",
    "RaggedBatches",
    "Split",
    "Standardizer",
    "TextStream",
    "Windows",
    "split",
]
