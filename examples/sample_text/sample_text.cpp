// Text from a language model that `weftnn lm train` made, one byte at a time.
//
//   sample_text MODEL [--prompt TEXT] [--length N] [--temperature X] [--top-k K] [--seed N]
//
// MODEL is a model.safetensors, such as runs/lm-1/best/model.safetensors. At temperature 0 the text is that
// of `weftnn lm sample MODEL --temperature 0`, byte for byte.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "weft/model.hpp"

namespace {

/// Reads any number of bytes. A recurrent model remembers them in its state; a GPT sees a window of the last
/// ones: when that is full it moves on by half, and what stays in it is read again.
class Reader {
 public:
  explicit Reader(const weft::Model& model) : stream_(model), logits_(size_t(model.outputs())) {}

  /// The logits of what comes next.
  const std::vector<float>& read(unsigned char byte) {
    if (step(byte) == weft::Status::full) {
      stream_.reset();
      const std::vector<unsigned char> kept(window_.end() - int64_t(window_.size() / 2), window_.end());
      window_.clear();
      for (unsigned char old : kept) step(old);
      if (step(byte) != weft::Status::ok) throw std::runtime_error("a window of one byte is too small");
    }
    return logits_;
  }

 private:
  weft::Status step(unsigned char byte) {
    const weft::Status status = stream_.step(byte, logits_.data());
    if (status == weft::Status::ok && stream_.capacity() > 0) window_.push_back(byte);
    return status;
  }

  weft::Stream stream_;
  std::vector<float> logits_;
  std::vector<unsigned char> window_;
};

/// Draws from softmax(logits / temperature), restricted to the k most likely; k = 0: all.
class Sampler {
 public:
  Sampler(double temperature, size_t top_k, uint64_t seed)
      : temperature_(temperature), top_k_(top_k), random_(seed) {}

  unsigned char draw(const std::vector<float>& logits) {
    order_.resize(logits.size());
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    const auto likelier = [&](size_t a, size_t b) { return logits[a] > logits[b]; };
    std::stable_sort(order_.begin(), order_.end(), likelier);
    if (temperature_ == 0) return static_cast<unsigned char>(order_[0]);
    if (top_k_ > 0) order_.resize(std::min(top_k_, order_.size()));
    std::vector<double> weights;
    double total = 0;
    for (size_t i : order_) {
      weights.push_back(std::exp((double(logits[i]) - double(logits[order_[0]])) / temperature_));
      total += weights.back();
    }
    double left = double(random_() >> 11) * 0x1p-53 * total;
    size_t chosen = 0;
    while (chosen + 1 < order_.size() && left >= weights[chosen]) left -= weights[chosen++];
    return static_cast<unsigned char>(order_[chosen]);
  }

 private:
  double temperature_;
  size_t top_k_;
  std::mt19937_64 random_;
  std::vector<size_t> order_;
};

struct Options {
  std::string model, prompt;
  int64_t length = 500;
  double temperature = 0.8;
  size_t top_k = 0;
  uint64_t seed = std::random_device()();
};

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name.substr(0, 2) != "--") {
      options.model = name;
      continue;
    }
    if (++i == count) throw std::invalid_argument(name + " needs a value");
    const std::string value = arguments[i];
    if (name == "--prompt")
      options.prompt = value;
    else if (name == "--length")
      options.length = std::stoll(value);
    else if (name == "--temperature")
      options.temperature = std::stod(value);
    else if (name == "--top-k")
      options.top_k = std::stoul(value);
    else if (name == "--seed")
      options.seed = std::stoull(value);
    else
      throw std::invalid_argument("no such option: " + name);
  }
  if (options.model.empty())
    throw std::invalid_argument("which model? sample_text MODEL [--prompt TEXT] ...");
  if (!(options.temperature >= 0)) throw std::invalid_argument("--temperature must be 0 or more");
  return options;
}

void sample(const Options& options) {
  const weft::Model model = weft::Model::load(options.model);
  if (!model.takes_tokens() || model.inputs() != 256 || model.outputs() != 256)
    throw std::invalid_argument(options.model + " is no language model over bytes");
  Reader reader(model);
  Sampler sampler(options.temperature, options.top_k, options.seed);
  const std::vector<float>* logits = nullptr;
  for (char c : options.prompt.empty() ? "\n" : options.prompt)
    logits = &reader.read(static_cast<unsigned char>(c));
  std::fputs(options.prompt.c_str(), stdout);
  for (int64_t i = 0; i < options.length; ++i) {
    const unsigned char byte = sampler.draw(*logits);
    std::fputc(byte, stdout);
    std::fflush(stdout);
    logits = &reader.read(byte);
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    sample(parse(count, arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sample_text: %s\n", error.what());
    return 1;
  }
}
