"""Where training reads from: text streams, windows, arrays, ragged sequences; splitting and standardising.

Every source gives `batches(epoch)` and a length, and is a function of its arguments, its seed and the epoch.
"""

from weft.data.array_dataset import ArrayDataset
from weft.data.batch import Batch, DataSource
from weft.data.ragged_batches import RaggedBatches
from weft.data.split import Split, split
from weft.data.standardizer import Standardizer
from weft.data.text_stream import TextStream
from weft.data.windows import Windows

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
