"""weft: recurrent networks and attention on CPUs, forward and backward in fused C++ kernels."""

from weft.config import __version__, get_num_threads, set_num_threads, show_config

__all__ = ["__version__", "get_num_threads", "set_num_threads", "show_config"]
