// A model as plain data: a graph of nodes, each an operation of docs/model_format.md, read and checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/model/ops/list.hpp"

namespace weft {

template <class T>
struct Node {
  Operations<T> op;
  int64_t outputs = 0;  // features
};

template <class T>
struct Graph {
  Node<T> root;
  bool takes_tokens = false;
  int64_t inputs = 0;        // features, or the size of the vocabulary
  int64_t context = 0;       // the most steps, 0: no limit; never more than there are learned positions
  int64_t places = 0;        // learned positions, 0: none
  int64_t weight_bytes = 0;  // of the tensors that it names
  std::string obstacle;      // why it cannot be stepped, or empty

  std::vector<std::string> unused_tensors;  // of the file, by name: it names them nowhere

  /// What streams run, made by the first of them for the instruction set then in use.
  mutable std::shared_ptr<const Program<T>> program;
};

class Safetensors;

/// Throws BadFile, with the node's path, the entry, what it must be and what it is.
///
/// Whatever the file: what is allocated is a small multiple of its size, and every size in a graph is that of
/// a tensor which is there, so that they may be multiplied two by two.
template <class T>
std::shared_ptr<const Graph<T>> parse_graph(const Safetensors& file);

/// Are the weights that a file's graph names of float64? Throws as parse_graph does.
bool has_float64_weights(const Safetensors& file);

/// Works out what comes out of every node, and checks every weight against it. Used by parse_graph.
template <class T>
void check_graph(Graph<T>& graph);

}  // namespace weft
