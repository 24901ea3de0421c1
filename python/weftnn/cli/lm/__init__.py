"""`weftnn lm`: train a language model on a text, measure it, let it write."""

from __future__ import annotations

from weftnn.cli.arguments import Parser
from weftnn.cli.lm import evaluate, sample, train, train_arguments

__all__ = ["add_lm_commands"]


def add_lm_commands(lm: Parser) -> None:
    """Adds the commands train, sample and eval to the parser of `weftnn lm`."""
    actions = lm.add_subparsers(metavar="COMMAND", required=True, title="commands")
    train_parser = actions.add_parser(
        "train",
        usage="weftnn lm train [TEXT ...] [OPTION ...]",
        help="train a model on text",
        description="Train a model that predicts each byte of a text from those before it.",
        epilog=train_arguments.EXAMPLES,
    )
    train_arguments.add_train_arguments(train_parser)
    train_parser.set_defaults(run=train.run_train, command="weftnn lm train")
    sample_parser = actions.add_parser(
        "sample",
        usage="weftnn lm sample MODEL [OPTION ...]",
        help="draw text from a trained model",
        description="Draw text from a trained model, byte by byte.",
        epilog=sample.EXAMPLES,
    )
    sample.add_sample_arguments(sample_parser)
    sample_parser.set_defaults(run=sample.run_sample, command="weftnn lm sample")
    eval_parser = actions.add_parser(
        "eval",
        usage="weftnn lm eval MODEL [TEXT ...] [OPTION ...]",
        help="score a trained model on text",
        description="Bits per byte of a trained model on a text: less is better, 8 is chance.",
        epilog=evaluate.EXAMPLES,
    )
    evaluate.add_eval_arguments(eval_parser)
    eval_parser.set_defaults(run=evaluate.run_eval, command="weftnn lm eval")
