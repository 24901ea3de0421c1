// The operations of a model's file: a new one is a line here, and its file.
#pragma once

#include <variant>

#include "src/model/ops/activation.hpp"
#include "src/model/ops/attention.hpp"
#include "src/model/ops/bidirectional.hpp"
#include "src/model/ops/embedding.hpp"
#include "src/model/ops/layer_norm.hpp"
#include "src/model/ops/learned_positions.hpp"
#include "src/model/ops/linear.hpp"
#include "src/model/ops/recurrent.hpp"
#include "src/model/ops/residual.hpp"
#include "src/model/ops/sequential.hpp"
#include "src/model/ops/sinusoidal_positions.hpp"
#include "src/model/ops/swiglu.hpp"

namespace weft {

template <class T>
using Operations =
    std::variant<SequentialNode<T>, ResidualNode<T>, BidirectionalNode<T>, EmbeddingNode<T>, LinearNode<T>,
                 LayerNormNode<T>, ActivationNode<T>, SwigluNode<T>, RecurrentNode<T>,
                 LearnedPositionsNode<T>, SinusoidalPositionsNode<T>, AttentionNode<T>>;

}  // namespace weft
