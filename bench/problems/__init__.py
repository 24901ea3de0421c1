"""What is measured. A kind of problem is a file with a dataclass that has the methods of `library.Case`; the
rows are in `table`."""
